// Generations and transactions of a project that is a directory, without runs.
#include "resource/transactions.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "unit/resource/some_project.h"

namespace sbx {
namespace {

using tree::SomeTree;
using Strings = std::vector<std::string>;

constexpr std::size_t kMost = 1000;

Strings commit(const SomeProject& project, const std::string& id) {
  const auto done = project.transactions().commit(id);
  REQUIRE_MESSAGE(done, (done ? "" : done.error().text));
  return *done;
}

TEST_CASE("a head that nothing refers to is written in place; else a copy of it becomes the head") {
  const SomeProject project;
  project.write("a", "1");
  CHECK(project.generations().head() == Head{1, true});
  project.begin("t");
  CHECK(project.generations().head() == Head{1, true});
  project.write("a", "2");
  CHECK(project.generations().head() == Head{2, true});
  CHECK(project.place().text(SomeProject::in_generation(1, "a")) == "1");
  CHECK(project.text_of_head("a") == "2");
  project.write("a", "3");
  CHECK(project.generations().head() == Head{2, true});
  REQUIRE(project.transactions().discard("t"));
  CHECK(project.names("g") == std::set<std::string>{"2"});
  CHECK(project.names("b").empty());
}

TEST_CASE("what a transaction changed is told, and is the project's when it is committed") {
  const SomeProject project;
  project.write("same", "same");
  project.write("old", "old");
  project.write("dir/gone", "gone");
  project.begin("t");
  project.place().file(SomeProject::in_upper("t", "new/file"), "new", 0755);
  project.place().file(SomeProject::in_upper("t", "old"), "changed");
  project.place().whiteout(SomeProject::in_upper("t", "dir"));
  const auto changes = project.transactions().diff("t", kMost);
  REQUIRE(changes);
  CHECK(describe_changes(*changes) == "D dir/gone\nD dir/\nA new/\nA new/file\nM old\n");
  CHECK(changes->added == 2);
  CHECK(changes->changed == 1);
  CHECK(changes->deleted == 2);
  CHECK(commit(project, "t").empty());
  CHECK(project.text_of_head("new/file") == "new");
  CHECK(project.text_of_head("old") == "changed");
  CHECK(project.text_of_head("same") == "same");
  CHECK_FALSE(std::filesystem::exists(project.place().path(project.head("dir"))));
  CHECK(project.names("g") == std::set<std::string>{"2"});
  CHECK(project.names("b").empty());
  CHECK(project.transactions().list()->empty());
}

TEST_CASE("a list of changes is cut where it is too long, and says how many there are") {
  const SomeProject project;
  project.begin("t");
  for (const char* name : {"a", "b", "c"}) project.place().file(SomeProject::in_upper("t", name), name);
  const auto changes = project.transactions().diff("t", 2);
  REQUIRE(changes);
  CHECK(changes->truncated);
  CHECK(describe_changes(*changes) == "A a\nA b\nand 1 more\n");
  CHECK(project.transactions().diff("t", 3)->truncated == false);
}

TEST_CASE("two transactions that change different files are both committed; the same file is a conflict") {
  const SomeProject project;
  project.write("a", "1");
  project.write("b", "1");
  for (const char* id : {"t1", "t2", "t3"}) project.begin(id);
  project.place().file(SomeProject::in_upper("t1", "a"), "by t1");
  project.place().file(SomeProject::in_upper("t2", "b"), "by t2");
  project.place().file(SomeProject::in_upper("t3", "a"), "by t3");
  project.place().file(SomeProject::in_upper("t3", "c"), "by t3");
  CHECK(commit(project, "t1").empty());
  CHECK(commit(project, "t2").empty());
  CHECK(commit(project, "t3") == Strings{"a"});
  CHECK(project.text_of_head("a") == "by t1");
  CHECK(project.text_of_head("b") == "by t2");
  CHECK_FALSE(std::filesystem::exists(project.place().path(project.head("c"))));
  // Nothing was lost of what was refused.
  CHECK(project.transactions().list()->size() == 1);
  CHECK(project.place().text(SomeProject::in_upper("t3", "a")) == "by t3");
  REQUIRE(project.transactions().discard("t3"));
  CHECK(project.names("g").size() == 1);
}

TEST_CASE("a generation that shares files with another one is not written in place") {
  const SomeProject project;
  project.write("kept", "1");
  project.begin("t1");
  project.begin("t2");  // keeps the first generation
  project.place().file(SomeProject::in_upper("t1", "new"), "1");
  CHECK(commit(project, "t1").empty());
  CHECK_FALSE(project.generations().head().apart);
  project.write("kept", "2");
  CHECK(project.generations().head().apart);
  CHECK(project.place().text(SomeProject::in_generation(1, "kept")) == "1");
  CHECK(project.text_of_head("kept") == "2");
}

TEST_CASE("what is emptied while it is looked at is not told as what there is") {
  const SomeProject project;
  project.begin("t");
  const std::string mark = project.place().path(SomeProject::in_upper("t", "mark"));
  const auto branch = project.generations().open_branch("t");
  REQUIRE(branch);
  std::thread emptying([&] {
    while (access(mark.c_str(), F_OK) != 0) std::this_thread::yield();
    CHECK(project.generations().empty_branch("t"));
  });
  // In a worker, which sees what it looks at go.
  const auto looked = project.transactions().work_in("t", [](int, int after) -> Result<std::string> {
    if (mkdirat(after, "mark", 0755) != 0) return fail(system_error("mkdir", "mark", errno));
    struct stat status {};
    while (fstatat(after, "mark", &status, 0) == 0) {
    }
    return std::string("something");
  });
  emptying.join();
  REQUIRE_FALSE(looked);
  CHECK(looked.error().error_number == EBUSY);
  CHECK_MESSAGE(looked.error().text.find("it was emptied or decided") != std::string::npos,
                looked.error().text);
}

TEST_CASE("nothing is committed or restored beside a run that writes, nor taken from a run that has it") {
  const SomeProject project;
  project.write("a", "1");
  project.begin("t");
  REQUIRE(project.transactions().take_snapshot("s"));
  {
    const auto branch = project.generations().open_branch("t");
    REQUIRE(branch);
    CHECK(project.transactions().discard("t").error().error_number == EBUSY);
    CHECK(project.transactions().diff("t", kMost));
    CHECK(project.transactions().commit("t").error().error_number == EBUSY);
  }
  {
    const UniqueFd writing(open(project.place().path("writing").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    REQUIRE(flock(writing.get(), LOCK_SH) == 0);
    CHECK(project.transactions().commit("t").error().error_number == EBUSY);
    CHECK(project.transactions().restore_snapshot("s").error().error_number == EBUSY);
  }
  CHECK(commit(project, "t").empty());
}

TEST_CASE("beside a run that writes, a snapshot is a copy of what there is just then") {
  const SomeProject project;
  project.write("a", "1");
  const UniqueFd writing(open(project.place().path("writing").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(flock(writing.get(), LOCK_SH) == 0);
  const auto taken = project.transactions().take_snapshot("s");
  REQUIRE(taken);
  CHECK(taken->generation == 2);
  project.place().file(SomeProject::in_generation(1, "a"), "2");
  CHECK(project.place().text(SomeProject::in_generation(2, "a")) == "1");
}

TEST_CASE("a snapshot gives back what the project had, as often as wanted, until it is removed") {
  const SomeProject project;
  project.write("a", "1");
  REQUIRE(project.transactions().take_snapshot("s"));
  CHECK(project.transactions().take_snapshot("s").error().error_number == EEXIST);
  for (const char* text : {"2", "3"}) {
    project.write("a", text);
    project.write("more", text);
    REQUIRE(project.transactions().restore_snapshot("s"));
    CHECK(project.text_of_head("a") == "1");
    CHECK_FALSE(std::filesystem::exists(project.place().path(project.head("more"))));
  }
  project.write("a", "4");
  REQUIRE(project.transactions().remove_snapshot("s"));
  CHECK(project.text_of_head("a") == "4");
  CHECK(project.names("g").size() == 1);
  CHECK(project.transactions().restore_snapshot("s").error().error_number == ENOENT);
}

TEST_CASE("a generation that somebody holds stays until he does not") {
  const SomeProject project;
  project.write("a", "1");
  {
    const auto held = project.generations().hold(1);
    REQUIRE(held);
    project.begin("t");
    project.place().file(SomeProject::in_upper("t", "b"), "1");
    CHECK(commit(project, "t").empty());
    CHECK(project.names("g") == std::set<std::string>{"1", "2"});
  }
  (void)project.generations();
  CHECK(project.names("g") == std::set<std::string>{"2"});
}

TEST_CASE("what killed ones left of generations and transactions goes with the next, and nothing else") {
  const SomeProject project;
  project.write("a", "1");
  project.begin("t");
  for (const char* left : {"workspace/g/7/x", "workspace/g/x/y", "workspace/b/u/upper/x"})
    project.place().file(left, "left");
  (void)project.generations();
  CHECK(project.names("g") == std::set<std::string>{"1"});
  CHECK(project.names("b") == std::set<std::string>{"t"});
  CHECK(project.text_of_head("a") == "1");
}

TEST_CASE("a commit that was killed is undone before the swap of the head, and done behind it") {
  const SomeProject project;
  project.write("a", "1");
  project.begin("t");
  project.place().file(SomeProject::in_upper("t", "a"), "2");
  project.place().file(SomeProject::in_generation(2, "a"), "2");
  SUBCASE("before") {
    REQUIRE(project.store().write_branch({"t", 1, "now", "", 2}));
    (void)project.generations();
    CHECK(project.store().branch("t")->becomes == 0);
    CHECK(project.names("g") == std::set<std::string>{"1"});
    CHECK(project.text_of_head("a") == "1");
    CHECK(commit(project, "t").empty());
  }
  SUBCASE("behind") {
    REQUIRE(project.store().write_branch({"t", 1, "now", "", 2}));
    REQUIRE(project.store().set_head({2, false}));
    (void)project.generations();
    CHECK(project.transactions().list()->empty());
    CHECK(project.names("b").empty());
    CHECK(project.names("g") == std::set<std::string>{"2"});
  }
  CHECK(project.text_of_head("a") == "2");
}

TEST_CASE("a project of a version without generations gets its first one, wherever that is interrupted") {
  if (geteuid() != 0) return;  // what is root's is told from what is a guest's
  for (const int step : {0, 1, 2, 3}) {
    CAPTURE(step);
    const SomeTree place;
    constexpr uid_t kGuest = 12345;
    for (const char* name : {"g", "b", "1", "file"}) {
      place.file(name, name);
      REQUIRE(chown(place.path(name).c_str(), kGuest, kGuest) == 0);
    }
    if (step > 0) place.directory(".sbx-1");
    if (step > 1) std::filesystem::rename(place.path("g"), place.path(".sbx-1/g"));
    if (step > 2) place.directory("g");
    const auto moved = move_into_first_generation(place.fd(), WorkspaceLayout::flat, kGuest);
    REQUIRE_MESSAGE(moved, (moved ? "" : moved.error().text));
    for (const char* name : {"g", "b", "1", "file"}) CHECK(place.text(std::string("g/1/") + name) == name);
    CHECK(std::filesystem::is_empty(place.path("b")));
    REQUIRE(move_into_first_generation(place.fd(), WorkspaceLayout::flat, kGuest));
    CHECK(place.text("g/1/file") == "file");
  }
}

TEST_CASE("a list of changes that was cut or spoiled is no list") {
  ChangeList changes{1, 2, 3, {{"a", std::nullopt, tree::EntryState{0100644, 5}, true}}, true};
  const std::string bytes = encode_change_list(changes);
  CHECK(*decode_change_list(bytes) == changes);
  for (std::size_t i = 0; i < bytes.size(); ++i) CHECK_FALSE(decode_change_list(bytes.substr(0, i)));
  CHECK_FALSE(decode_change_list(bytes + "x"));
  changes.list.front().after.reset();
  CHECK_FALSE(decode_change_list(encode_change_list(changes)));
}

}  // namespace
}  // namespace sbx
