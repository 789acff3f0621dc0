#include "resource/project_care.h"

#include <sys/file.h>

#include <cerrno>
#include <set>

#include "resource/projects.h"
#include "support/killed_at.h"
#include "support/skip.h"
#include "unit/tree/some_tree.h"

namespace sbx {
namespace {

namespace fs = std::filesystem;

// Projects without limits in a state directory of their own.
class SomeProjects {
 public:
  SomeProjects() { place_.directory("projects", 0700); }

  void make(const std::string& id) const {
    const auto made = create_project(state(), id, {}, geteuid());
    REQUIRE_MESSAGE(made, (made ? "" : made.error().text));
    place_.file("projects/" + id + "/workspace/g/1/project_files/deep/f", "text of " + id);
  }
  [[nodiscard]] std::string state() const { return place_.path("."); }
  [[nodiscard]] std::string path(const std::string& name) const { return place_.path("projects/" + name); }
  [[nodiscard]] bool is_whole(const std::string& id) const {
    const std::string file = "projects/" + id + "/workspace/g/1/project_files/deep/f";
    return look_at_project(state(), id).has_value() && fs::exists(place_.path(file));
  }
  [[nodiscard]] std::set<std::string> names() const {
    std::set<std::string> found;
    for (const auto& entry : fs::directory_iterator(path("."))) found.insert(entry.path().filename());
    return found;
  }

 private:
  tree::SomeTree place_;
};

UniqueFd use(const SomeProjects& projects, const std::string& id) {
  auto held = hold_project(projects.path(id), ProjectHold::shared);
  REQUIRE_MESSAGE(held, (held ? "" : held.error().text));
  return std::move(*held);
}

}  // namespace

TEST_CASE("projects are listed, looked at and measured") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  const SomeProjects projects;
  CHECK(list_projects(projects.state())->empty());
  CHECK(list_projects(projects.path("none"))->empty());
  projects.make("b");
  projects.make("a");
  REQUIRE(mkdir(projects.path(".new").c_str(), 0700) == 0);
  REQUIRE(mkdir(projects.path("empty").c_str(), 0700) == 0);
  const auto list = *list_projects(projects.state());
  REQUIRE(list.size() == 2);
  CHECK(list[0].id == "a");
  CHECK(list[1].id == "b");
  CHECK(list[0].storage == ProjectStorage::directory);
  CHECK_FALSE(list[0].in_use);
  {
    const UniqueFd held = use(projects, "b");
    CHECK(look_at_project(projects.state(), "b")->in_use);
    CHECK_FALSE(look_at_project(projects.state(), "a")->in_use);
  }
  CHECK_FALSE(look_at_project(projects.state(), "b")->in_use);
  const auto size = measure_project(projects.state(), "a", geteuid());
  REQUIRE_MESSAGE(size, (size ? "" : size.error().text));
  CHECK(size->inodes >= 3);
  for (const char* id : {"none", "empty"}) {
    CHECK(look_at_project(projects.state(), id).error().error_number == ENOENT);
    CHECK(measure_project(projects.state(), id, geteuid()).error().error_number == ENOENT);
  }
}

TEST_CASE("a project is made once, gets another name that is free, and goes with all that is in it") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  const SomeProjects projects;
  projects.make("a");
  CHECK(create_project(projects.state(), "a", {}, geteuid()).error().error_number == EEXIST);
  projects.make("b");
  CHECK(rename_project(projects.state(), "a", "b").error().error_number == EEXIST);
  CHECK(rename_project(projects.state(), "none", "c").error().error_number == ENOENT);
  CHECK_FALSE(rename_project(projects.state(), "a", "../c"));
  CHECK_FALSE(rename_project(projects.state(), "../projects/a", "c"));
  REQUIRE(rename_project(projects.state(), "a", "c"));
  CHECK(projects.is_whole("c"));
  CHECK(look_at_project(projects.state(), "a").error().error_number == ENOENT);
  REQUIRE(delete_project(projects.state(), "c"));
  CHECK(delete_project(projects.state(), "c").error().error_number == ENOENT);
  CHECK(projects.names() == std::set<std::string>{"b"});
  CHECK(projects.is_whole("b"));
}

TEST_CASE("a project that is used keeps its name and its files, and who has it alone lets nobody in") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  const SomeProjects projects;
  projects.make("a");
  {
    const UniqueFd held = use(projects, "a");
    CHECK(rename_project(projects.state(), "a", "b").error().error_number == EBUSY);
    CHECK(delete_project(projects.state(), "a").error().error_number == EBUSY);
    CHECK(projects.is_whole("a"));
  }
  const auto alone = hold_project(projects.path("a"), ProjectHold::alone);
  REQUIRE(alone);
  CHECK(hold_project(projects.path("a"), ProjectHold::shared).error().error_number == EBUSY);
}

TEST_CASE("what a killed deletion left goes with the next sweep, unless somebody is at work") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  const SomeProjects projects;
  projects.make("a");
  REQUIRE(rename(projects.path("a").c_str(), projects.path(".deleted-x").c_str()) == 0);
  {
    const UniqueFd at_work(open(projects.path(".deleted-x").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(flock(at_work.get(), LOCK_EX) == 0);
    CHECK(*remove_deleted_projects(projects.state()) == 0);
  }
  CHECK(*remove_deleted_projects(projects.state()) == 1);
  CHECK(projects.names().empty());
  CHECK(*remove_deleted_projects(projects.path("none")) == 0);
}

TEST_CASE("a change of name that is killed at any system call leaves the project whole under one of both") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  int old_names = 0;
  int new_names = 0;
  for (int number = 1;; number += test::stride(1)) {
    CAPTURE(number);
    const SomeProjects projects;
    projects.make("a");
    const bool finished =
        test::ends_before(number, [&] { return rename_project(projects.state(), "a", "b").has_value(); });
    const bool is_new = projects.is_whole("b");
    CHECK(is_new != projects.is_whole("a"));
    ++(is_new ? new_names : old_names);
    if (finished) break;
  }
  CHECK(old_names > 10);
  CHECK(new_names > 1);
}

TEST_CASE(
    "a deletion that is killed at any system call leaves the project whole, or nothing behind a sweep") {
  SKIP_UNLESS(geteuid() == 0, "needs root");
  int whole = 0;
  int gone = 0;
  for (int number = 1;; number += test::stride(3)) {
    CAPTURE(number);
    const SomeProjects projects;
    projects.make("a");
    const bool finished =
        test::ends_before(number, [&] { return delete_project(projects.state(), "a").has_value(); });
    REQUIRE(remove_deleted_projects(projects.state()));
    if (projects.is_whole("a")) {
      ++whole;
    } else {
      ++gone;
      CHECK(projects.names().empty());
    }
    if (finished) break;
  }
  CHECK(whole > 3);
  CHECK(gone > 3);
}

}  // namespace sbx
