#include "project_files/project_files.h"

#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <functional>

#include "base/names.h"
#include "some_files.h"

namespace sbx::project_files {
namespace {

using Names = std::vector<std::string>;

TEST_CASE("framed content is whole with its last frame, and what ends without it is nothing") {
  const SomeFiles files;
  const auto put = [&](const std::string& bytes) {
    PutRequest request;
    request.name = "a";
    request.taken = Taken::replace;
    return files.open().put(request, {content_of(bytes).get(), true});
  };
  const std::string end = file_frame("");
  const std::string whole = file_frame("one ") + file_frame(std::string(100'000, 'x')) + end;
  REQUIRE(put(whole));
  CHECK(*files.get("project_files/a") == "one " + std::string(100'000, 'x'));
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{2}, std::size_t{6}, whole.size() - 4, whole.size() - 1})
    CHECK(error_number(put(whole.substr(0, size))) == EPIPE);
  CHECK(*files.get("project_files/a") == "one " + std::string(100'000, 'x'));
  REQUIRE(put(end));
  CHECK(files.get("project_files/a")->empty());
  CHECK(files.names() == std::vector<std::string>{"a"});
}

TEST_CASE("what is put is there as it was, with an id, its type and its hash") {
  const SomeFiles files;
  const std::string text = R"({"a": [1, 2]})";
  const auto put = files.put("report.json", text);
  REQUIRE_MESSAGE(put, error_text(put));
  CHECK(put->created);
  CHECK(check_run_id("id", put->file.id));
  CHECK(put->file.file.path == "project_files/report.json");
  CHECK(put->file.original_name == "report.json");
  CHECK(put->file.file.size == text.size());
  CHECK(put->file.file.mime == "application/json");
  CHECK(put->file.file.sha256 == sha256_hex(text));
  CHECK(put->file.by == "test");
  const struct stat status = files.tree().stat(SomeFiles::in("project_files/report.json"));
  CHECK((status.st_mode & 07777) == 0644);
  CHECK(status.st_uid == files.place().service_id);
  CHECK(files.get("project_files/report.json") == text);
  const ProjectFiles opened = files.open(Access::read);
  CHECK(opened.path_of(put->file.id) == "project_files/report.json");
  FileRequest request;
  request.path = "project_files";
  const auto listed = opened.list(request);
  REQUIRE_MESSAGE(listed, error_text(listed));
  REQUIRE(listed->files.size() == 1);
  CHECK(listed->files[0].stored == put->file);
  CHECK(files.put("empty", "")->file.file.mime == "inode/x-empty");
  CHECK(files.put("deep", "x", Taken::rename, "outputs/a/b")->file.file.path == "outputs/a/b/deep");
  CHECK(error_number(files.put("top", "x", Taken::rename, ".")) == (geteuid() == 0 ? EACCES : 0));
}

TEST_CASE("a flat project has its files at the top") {
  const SomeFiles files(WorkspaceLayout::flat);
  CHECK(files.put("a", "1")->file.file.path == "a");
}

TEST_CASE(
    "the same content under the same name is stored once; another gets a number, or the place, or nothing") {
  const SomeFiles files;
  const std::string id = files.put("a.txt", "one")->file.id;
  const auto again = files.put("a.txt", "one");
  CHECK(again->deduplicated);
  CHECK(again->file.id == id);
  CHECK(files.put("a.txt", "two")->file.file.path == "project_files/a (1).txt");
  CHECK(files.put("a.txt", "two")->deduplicated);
  CHECK(files.names() == Names{"a (1).txt", "a.txt"});
  CHECK(error_number(files.put("a.txt", "three", Taken::refuse)) == EEXIST);
  const auto replaced = files.put("a.txt", "three", Taken::replace);
  CHECK_FALSE(replaced->created);
  CHECK(replaced->file.id == id);
  CHECK(files.get("project_files/a.txt") == "three");
  CHECK(files.names() == Names{"a (1).txt", "a.txt"});
}

TEST_CASE("an edit is for the content that was expected, and keeps id and permissions but no set-id bit") {
  const SomeFiles files;
  const auto put = files.put("a", "one");
  const std::string place = files.tree().path(SomeFiles::in("project_files/a"));
  REQUIRE(chmod(place.c_str(), 06755) == 0);
  const std::string hash = put->file.file.sha256;
  CHECK(error_number(files.edit("project_files/a", "two", sha256_hex("other"))) == ESTALE);
  CHECK(files.get("project_files/a") == "one");
  const auto edited = files.edit("project_files/a", "two", hash);
  REQUIRE_MESSAGE(edited, error_text(edited));
  CHECK(edited->file.id == put->file.id);
  CHECK(edited->file.by == "editor");
  CHECK(edited->file.created_ms == put->file.created_ms);
  CHECK((files.tree().stat(SomeFiles::in("project_files/a")).st_mode & 07777) == 0755);
  CHECK(error_number(files.edit("project_files/a", "three", hash)) == ESTALE);
  CHECK(files.get("project_files/a") == "two");
  CHECK(error_number(files.edit("project_files/b", "x")) == ENOENT);
  REQUIRE(files.open().make_folder("project_files/d", false));
  CHECK(error_number(files.edit("project_files/d", "x")) == EISDIR);
  CHECK(files.names() == Names{"a", "d"});
}

TEST_CASE("a part of a file, or none of it") {
  const SomeFiles files;
  REQUIRE(files.put("a", "0123456789"));
  FileRequest request;
  request.path = "project_files/a";
  request.from = 2;
  CHECK(files.get(request) == "23456789");
  request.most = 3;
  CHECK(files.get(request) == "234");
  request.from.reset();
  CHECK(files.get(request) == "789");
  request.from = 10;
  CHECK(error_number(files.get(request)) == ERANGE);
  const UniqueFd out = content_of("");
  request.from = 8;
  REQUIRE(files.open(Access::read).get(request, {out.get(), true}));
  const std::string bytes = bytes_in(out);
  const auto told = decode_file_answer(std::string_view(bytes).substr(4, bytes.size() - 6));
  REQUIRE(told);
  CHECK(told->follow == 2);
  CHECK(told->stat.size == 10);
  CHECK(bytes.ends_with("89"));
}

TEST_CASE("ids go with files that are moved, alone and in folders, and are gone with them") {
  const SomeFiles files;
  const std::string a = files.put("a", "1", Taken::rename, "project_files/d")->file.id;
  const std::string b = files.put("b", "2", Taken::rename, "project_files/d/e")->file.id;
  const std::string c = files.put("c", "3", Taken::rename, "project_files/d0")->file.id;
  const ProjectFiles opened = files.open();
  REQUIRE(opened.move("project_files/d", "outputs/x/y", true, false));
  CHECK(opened.path_of(a) == "outputs/x/y/a");
  CHECK(opened.path_of(b) == "outputs/x/y/e/b");
  CHECK(opened.path_of(c) == "project_files/d0/c");
  CHECK(error_number(opened.move("project_files/d0/c", "outputs/x/y/a", false, false)) == EEXIST);
  const auto onto = opened.move("project_files/d0/c", "outputs/x/y/a", false, true);
  REQUIRE_MESSAGE(onto, error_text(onto));
  CHECK(onto->stored->id == c);
  CHECK(opened.path_of(a) == a);
  CHECK(error_number(opened.move("outputs/x", "outputs/x/y/z", false, false)) == EINVAL);
  CHECK(error_number(opened.remove("outputs/x", false)) == ENOTEMPTY);
  REQUIRE(opened.remove("outputs/x", true));
  CHECK(opened.path_of(b) == b);
  CHECK(opened.path_of(c) == c);
  CHECK(files.names("outputs").empty());
  CHECK(error_number(opened.remove("outputs/x", true)) == ENOENT);
  if (geteuid() == 0) CHECK(error_number(opened.remove("outputs", true)) == EACCES);
  CHECK(error_number(opened.remove(".", true)) == EINVAL);
}

TEST_CASE("no link is followed, whatever is done") {
  const SomeFiles files;
  files.tree().file("outside/secret", "secret");
  const std::string outside = files.tree().path("outside");
  files.tree().link(SomeFiles::in("project_files/dir"), outside);
  files.tree().link(SomeFiles::in("project_files/file"), outside + "/secret");
  files.tree().link(SomeFiles::in("project_files/near"), "../outputs");
  for (const char* link : {"dir", "file", "near"}) files.own(std::string("project_files/") + link);
  CHECK(error_number(files.get("project_files/dir/secret")) == ELOOP);
  CHECK(error_number(files.get("project_files/file")) == ELOOP);
  CHECK(error_number(files.put("new", "x", Taken::rename, "project_files/dir")) == ELOOP);
  CHECK(error_number(files.put("new", "x", Taken::rename, "project_files/near")) == ELOOP);
  CHECK(error_number(files.put("new", "x", Taken::rename, "project_files/dir/new")) == ELOOP);
  CHECK(error_number(files.edit("project_files/file", "x")) == ELOOP);
  CHECK(error_number(files.put("file", "x", Taken::replace)) == ELOOP);
  CHECK(files.put("file", "x")->file.file.path == "project_files/file (1)");
  const ProjectFiles opened = files.open();
  CHECK(error_number(opened.remove("project_files/dir/secret", true)) == ELOOP);
  CHECK(error_number(opened.move("project_files/file (1)", "project_files/dir/x", true, true)) == ELOOP);
  const auto all = opened.list_all("", 100);
  REQUIRE(all);
  Names targets;
  for (const ListedFile& file : all->files)
    if (file.stat.type == FileType::link) targets.push_back(file.stat.target);
  CHECK(targets == Names{outside, outside + "/secret", "../outputs"});
  REQUIRE(opened.remove("project_files/dir", true));
  REQUIRE(opened.remove("project_files/file", false));
  CHECK(files.tree().text("outside/secret") == "secret");
  CHECK(os::list_directory(AT_FDCWD, outside) == Names{"secret"});
}

TEST_CASE("what is no file is told, and never waited for") {
  const SomeFiles files;
  REQUIRE(mkfifo(files.tree().path(SomeFiles::in("project_files/fifo")).c_str(), 0666) == 0);
  CHECK(error_number(files.get("project_files/fifo")) == EINVAL);
  CHECK(error_number(files.edit("project_files/fifo", "x")) == EINVAL);
  CHECK(error_number(files.get("project_files")) == EISDIR);
  CHECK(error_number(files.get("")) == EISDIR);
  CHECK(error_number(files.get("project_files/none")) == ENOENT);
  CHECK(error_number(files.get("project_files/fifo/x")) == ENOTDIR);
  CHECK(error_number(files.get("../p")) == EINVAL);
}

TEST_CASE("what is too large or of another type is not there, not even in part") {
  const SomeFiles files;
  UploadRules rules{4, {"text/*", "inode/x-empty"}};
  CHECK(files.put("a", "1234", Taken::rename, "", rules));
  const auto large = files.put("b", "12345", Taken::rename, "", rules);
  CHECK(error_text(large) == "'b': it has more than the 4 bytes that a file may have");
  CHECK(error_number(large) == EFBIG);
  rules.file_bytes.reset();
  const auto program = files.put("b.txt",
                                 std::string("\x7f"
                                             "ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\x3e\0",
                                             20) +
                                     std::string(100, '\0'),
                                 Taken::rename, "", rules);
  CHECK(error_number(program) == EMEDIUMTYPE);
  CHECK(error_text(program).starts_with("'b.txt': its content is of the type 'application/x-"));
  rules.types.clear();
  CHECK(error_number(files.put("c", "text", Taken::rename, "", rules)) == EMEDIUMTYPE);
  CHECK(files.names() == Names{"a"});
  CHECK(type_is_allowed("text/x-c", {"a/b", "text/*"}));
  CHECK_FALSE(type_is_allowed("textual/x", {"text/*"}));
  CHECK_FALSE(type_is_allowed("text/x-c", {"text/x"}));
}

TEST_CASE("a check tells how list and files differ, repairs the list, and touches no file") {
  const SomeFiles files;
  const std::string gone = files.put("gone", "1")->file.id;
  const std::string other = files.put("other", "2")->file.id;
  REQUIRE(files.put("same", "3"));
  const std::string gone_place = files.tree().path(SomeFiles::in("project_files/gone"));
  REQUIRE(rename(gone_place.c_str(), files.tree().path("kept").c_str()) == 0);
  files.tree().file(SomeFiles::in("project_files/other"), "changed");
  files.make("outputs/made", "4");
  const ProjectFiles opened = files.open();
  auto report = opened.check(false);
  REQUIRE_MESSAGE(report, error_text(report));
  CHECK(report->missing == Names{"project_files/gone"});
  CHECK(report->changed == Names{"project_files/other"});
  CHECK(report->unknown == Names{"outputs/made"});
  CHECK(report->adopted.empty());
  const auto listed = opened.list_all("project_files", 100);
  CHECK(listed->files.at(0).stored->id == other);
  CHECK(listed->files.at(0).stored->file.sha256 == sha256_hex("changed"));
  CHECK(listed->files.at(0).stored->by == "");
  REQUIRE(rename(files.tree().path("kept").c_str(), gone_place.c_str()) == 0);
  report = opened.check(true);
  CHECK(report->returned == Names{"project_files/gone"});
  CHECK(report->missing.empty());
  CHECK(report->changed.empty());
  CHECK(report->adopted == Names{"outputs/made"});
  CHECK(report->unknown.empty());
  CHECK(opened.path_of(gone) == "project_files/gone");
  report = opened.check(true);
  CHECK((report->adopted.empty() && report->returned.empty()));
  CHECK(files.names() == Names{"gone", "other", "same"});
}

// --- at the same time, and cut short ---

pid_t in_child(const std::function<bool()>& work) {
  const pid_t child = fork();
  if (child == 0) _exit(work() ? 0 : 1);
  return child;
}

int status_of(pid_t child) {
  int status = 0;
  (void)waitpid(child, &status, 0);
  return status;
}

TEST_CASE("of two writers at once each has all of its files") {
  const SomeFiles files;
  constexpr int kEach = 15;
  Names expected;
  std::vector<pid_t> writers;
  for (const char* who : {"x", "y"}) {
    for (int i = 0; i < kEach; ++i) expected.push_back(who + std::to_string(i));
    writers.push_back(in_child([&] {
      for (int i = 0; i < kEach; ++i)
        if (!files.put("a", who + std::to_string(i))) return false;
      return true;
    }));
  }
  for (const pid_t writer : writers) CHECK(status_of(writer) == 0);
  Names found;
  for (const std::string& name : files.names()) found.push_back(*files.get("project_files/" + name));
  std::ranges::sort(found);
  std::ranges::sort(expected);
  CHECK(found == expected);
  const auto report = files.open().check(false);
  CHECK((report->unknown.empty() && report->missing.empty() && report->changed.empty()));
}

TEST_CASE("of two who replace a file at once the list knows whose it is") {
  const SomeFiles files;
  std::vector<pid_t> writers;
  for (const char* who : {"x", "yy"}) {
    writers.push_back(in_child([&] {
      for (int i = 0; i < 40; ++i)
        if (!files.put("a", who + std::to_string(i), Taken::replace)) return false;
      return true;
    }));
  }
  // Between a new name and its row it would see another file.
  bool same = true;
  for (int i = 0; i < 40; ++i) {
    const auto report = files.open(Access::read).check(false);
    same = same && report && report->changed.empty() && report->unknown.empty();
  }
  for (const pid_t writer : writers) CHECK(status_of(writer) == 0);
  CHECK(same);
}

TEST_CASE("an upload that is killed, or whose content does not come, leaves nothing") {
  const SomeFiles files;
  std::array<int, 2> ends{};
  REQUIRE(pipe(ends.data()) == 0);
  const pid_t uploader = in_child([&] {
    (void)close(ends[1]);
    PutRequest request;
    request.name = "half";
    return files.open().put(request, {ends[0]}).has_value();
  });
  (void)close(ends[0]);
  const std::string much(300'000, 'x');
  CHECK(::write(ends[1], much.data(), much.size()) == static_cast<ssize_t>(much.size()));
  REQUIRE(kill(uploader, SIGKILL) == 0);
  CHECK(WIFSIGNALED(status_of(uploader)));
  (void)close(ends[1]);
  CHECK(files.names().empty());
  CHECK(files.open().check(false)->unfinished.empty());
}

TEST_CASE(
    "while a program makes links of folders and folders of links, nothing outside is read, written or "
    "removed") {
  const SomeFiles files;
  files.tree().file("outside/f", "secret");
  files.tree().file("outside/d/f", "secret");
  const std::string outside = files.tree().path("outside");
  const std::string top = files.tree().path(SomeFiles::in("project_files"));
  files.make("project_files/real/f", "inside");
  files.own("project_files/real");
  const pid_t swapper = in_child([&] {
    for (const pid_t test = getppid(); getppid() == test;) {
      (void)rename((top + "/real").c_str(), (top + "/place").c_str());
      (void)rename((top + "/place").c_str(), (top + "/real").c_str());
      (void)symlink(outside.c_str(), (top + "/place").c_str());
      (void)unlink((top + "/place").c_str());
    }
    return true;
  });
  int worked = 0;
  for (int round = 0; round < 60; ++round) {
    const auto got = files.get("project_files/place/f");
    if (got) CHECK(*got != "secret");
    worked += got.has_value() ? 1 : 0;
    PutRequest request;
    request.folder = "project_files/place";
    request.name = "new";
    request.parents = false;  // else it would take the place that the links are to have
    request.taken = Taken::replace;
    worked += files.open().put(request, {content_of("n").get()}).has_value() ? 1 : 0;
    (void)files.edit("project_files/place/f", "inside");
    const ProjectFiles opened = files.open();
    (void)opened.move("project_files/place/new", "project_files/place/d/new", false, true);
    (void)opened.remove("project_files/place/d", true);
    (void)opened.list_all("", 1000);
  }
  REQUIRE(kill(swapper, SIGKILL) == 0);
  (void)status_of(swapper);
  CHECK(worked > 0);
  CHECK(files.tree().text("outside/f") == "secret");
  CHECK(files.tree().text("outside/d/f") == "secret");
  CHECK(os::list_directory(AT_FDCWD, outside) == Names{"d", "f"});
}

}  // namespace
}  // namespace sbx::project_files
