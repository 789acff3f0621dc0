// What is done with files of a project, killed (SIGKILL) at its system calls and its worker's: each file is
// what it was or what it was to be, the list can be made to say so, and it can be done again.
#include <sys/wait.h>

#include <algorithm>

#include "project_files/upload_note.h"
#include "support/killed_at.h"
#include "unit/project_files/some_files.h"

namespace sbx::project_files {
namespace {

// Names and content of all that is there, in order.
std::string all_of(const SomeFiles& files) {
  const auto listed = files.open(Access::read).list_all("project_files", 1000);
  REQUIRE_MESSAGE(listed, error_text(listed));
  std::string text;
  for (const ListedFile& file : listed->files) {
    text += file.path.substr(std::string("project_files/").size()) + "=";
    text += (file.stat.type == FileType::file ? *files.get(file.path) : "") + " ";
  }
  return text;
}

struct Killed {
  std::function<void(const SomeFiles&)> prepare;
  std::function<bool(const SomeFiles&)> work;
  std::string before;
  std::string after;
};

void try_all(const Killed& one, int usual_step) {
  int old_ones = 0;
  int new_ones = 0;
  for (int number = 1;; number += test::stride(usual_step)) {
    CAPTURE(number);
    const SomeFiles files;
    one.prepare(files);
    const bool finished = test::ends_before(number, [&] { return one.work(files); });
    (void)files.open().drop_unfinished();
    const std::string now = all_of(files);
    if (now != one.before) CHECK(now == one.after);
    if (finished) CHECK(now == one.after);
    const auto report = files.open().check(false);
    REQUIRE_MESSAGE(report, error_text(report));
    CHECK(report->unreadable.empty());
    const auto again = files.open().check(true);
    REQUIRE_MESSAGE(again, error_text(again));
    const auto settled = files.open().check(false);
    CHECK((settled->missing.empty() && settled->changed.empty() && settled->unknown.empty()));
    CHECK(all_of(files) == now);
    ++(now == one.after ? new_ones : old_ones);
    if (finished) break;
    if (now == one.before) {
      CHECK(one.work(files));
      CHECK(all_of(files) == one.after);
    }
  }
  CHECK(old_ones > 10);
  CHECK(new_ones > 1);
}

void put(const SomeFiles& files, const std::string& name, const std::string& text) {
  const auto done = files.put(name, text);
  REQUIRE_MESSAGE(done, error_text(done));
}

// A tarball of ustar with the files x/a and x/b.
std::string some_archive() {
  const auto header = [](const std::string& name, std::size_t size) {
    std::string block(512, '\0');
    const auto set = [&](std::size_t at, const std::string& text) { block.replace(at, text.size(), text); };
    set(0, name);
    set(100, "0000644");
    set(108, "0000000");
    set(116, "0000000");
    char digits[16];
    (void)std::snprintf(digits, sizeof digits, "%011zo", size);
    set(124, digits);
    set(136, "00000000000");
    set(148, "        0");
    set(257, std::string("ustar\000", 6) + "00");
    unsigned sum = 0;
    for (const char c : block) sum += static_cast<unsigned char>(c);
    (void)std::snprintf(digits, sizeof digits, "%06o", sum);
    set(148, std::string(digits) + '\0' + ' ');
    return block;
  };
  std::string archive;
  for (const char* name : {"x/a", "x/b"}) archive += header(name, 1) + "1" + std::string(511, '\0');
  return archive + std::string(1024, '\0');
}

}  // namespace

TEST_CASE("a new file whose bringing is killed at any system call is there whole, or not at all") {
  try_all({[](const SomeFiles& files) { put(files, "other", "o"); },
           [](const SomeFiles& files) { return files.put("new", "content").has_value(); }, "other=o ",
           "new=content other=o "},
          9);
}

TEST_CASE("a file whose edit is killed at any system call has its old content or the new one") {
  try_all({[](const SomeFiles& files) { put(files, "f", "old"); },
           [](const SomeFiles& files) { return files.edit("project_files/f", "new").has_value(); }, "f=old ",
           "f=new "},
          9);
}

TEST_CASE("a file whose move is killed at any system call has one name or the other") {
  try_all({[](const SomeFiles& files) { put(files, "a", "1"); },
           [](const SomeFiles& files) {
             return files.open().move("project_files/a", "project_files/b", false, false).has_value();
           },
           "a=1 ", "b=1 "},
          9);
}

TEST_CASE("a file whose removal is killed at any system call is there, or not") {
  try_all({[](const SomeFiles& files) { put(files, "a", "1"); },
           [](const SomeFiles& files) { return files.open().remove("project_files/a", false).has_value(); },
           "a=1 ", ""},
          9);
}

TEST_CASE("an archive whose unpacking is killed at any system call is there whole, or not at all") {
  const std::string archive = some_archive();
  try_all({[](const SomeFiles& files) { put(files, "other", "o"); },
           [&](const SomeFiles& files) {
             ExtractRequest request;
             request.name = "x";
             request.by = "test";
             return files.open().extract(request, {content_of(archive).get()}).has_value();
           },
           "other=o ", "other=o x= x/x= x/x/a=1 x/x/b=1 "},
          13);
}

TEST_CASE("a cleanup removes what a killed upload left, and no file that has such a name by itself") {
  const SomeFiles files;
  const std::string own = "project_files/.sbx-upload-0123456789abcdef";
  files.make(own, "a program's");
  const std::string directory = files.place().state_dir + "/projects/p";
  const pid_t killed = fork();
  if (killed == 0) {
    const auto note = UploadNote::make(directory, "project_files");
    if (note) (void)mkdir(files.tree().path(SomeFiles::in("project_files/" + note->name())).c_str(), 0755);
    _exit(0);  // as one that is killed: nothing is undone
  }
  int status = 0;
  REQUIRE(waitpid(killed, &status, 0) == killed);
  const auto going_on = UploadNote::make(directory, "project_files");
  REQUIRE_MESSAGE(going_on, error_text(going_on));
  files.make("project_files/" + going_on->name(), "half");
  CHECK(files.names().size() == 3);
  std::vector<std::string> told;
  check_all(files.place().state_dir, files.place().service_id,
            [&](const std::string&, const Result<CheckReport>& report) {
              REQUIRE_MESSAGE(report, error_text(report));
              told = report->unfinished;
            });
  CHECK(told.size() == 3);
  std::vector<std::string> left{own.substr(14), going_on->name()};
  std::ranges::sort(left);
  CHECK(files.names() == left);
  CHECK(os::list_directory(AT_FDCWD, directory + "/uploads") == std::vector<std::string>{going_on->name()});
}

}  // namespace sbx::project_files
