#include "monitor/log_file.h"

#include <doctest/doctest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "monitor/verify_log.h"
#include "support/skip.h"

namespace sbx {
namespace {

namespace fs = std::filesystem;

class TempDirectory {
 public:
  TempDirectory() {
    std::string pattern = (fs::temp_directory_path() / "sbx-log-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  ~TempDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// As they are appended: without their links.
std::string record(const std::string& text) { return R"({"text":")" + text + "\"}"; }

// What the lines of a file say; of a line that is no record, itself.
std::vector<std::string> texts(const std::string& path) {
  std::vector<std::string> found;
  std::istringstream lines(content(path));
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    const bool is_record = json.is_object() && (json.contains("text") || json.contains("event"));
    found.push_back(is_record ? json.value("text", json.value("event", "")) : line);
  }
  return found;
}

using Strings = std::vector<std::string>;

// Of a record with one letter.
const std::size_t kLine = (*with_link(record("x"), {1, kNoLine})).size() + 1;

MonitorLogOptions options_for(const std::string& path, std::uint64_t rotate_bytes = 1U << 20U,
                              unsigned keep = 5) {
  return {path, rotate_bytes, keep};
}

// Runs `body` in a child; an empty text is success. What it changes (limits, mounts) ends with it.
std::string in_child(const std::function<std::string()>& body) {
  int pipe_ends[2];
  REQUIRE(pipe(pipe_ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const std::string failure = body();
    (void)!write(pipe_ends[1], failure.data(), failure.size());
    _exit(0);
  }
  close(pipe_ends[1]);
  std::string failure;
  char buffer[4096];
  ssize_t count = 0;
  while ((count = read(pipe_ends[0], buffer, sizeof buffer)) > 0)
    failure.append(buffer, static_cast<std::size_t>(count));
  close(pipe_ends[0]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  if (status != 0) failure += " (child ended with status " + std::to_string(status) + ")";
  return failure;
}

TEST_CASE("a line is appended; directory and file are made for root only") {
  const TempDirectory directory;
  const std::string path = directory.file("a/b/monitor.jsonl");
  REQUIRE(append_to_monitor_log(options_for(path), R"({"a":1})"));
  REQUIRE(append_to_monitor_log(options_for(path), "{}"));
  const std::string first = R"({"a":1,"seq":1,"prev":")" + kNoLine + "\"}";
  CHECK(content(path) == first + "\n{\"seq\":2,\"prev\":\"" + hash_of_line(first) + "\"}\n");
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0600);
  REQUIRE(stat(directory.file("a/b").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0700);
}

TEST_CASE("what is no object on one line is refused") {
  const TempDirectory directory;
  for (const char* record : {"{\n}", "text", "", "[]"})
    CHECK_FALSE(append_to_monitor_log(options_for(directory.file("log")), record));
  CHECK_FALSE(fs::exists(directory.file("log")));
}

TEST_CASE("/dev/null is no log at all") {
  CHECK(append_to_monitor_log(options_for("/dev/null"), "{}"));
  CHECK_FALSE(fs::exists("/dev/null.lock"));
}

TEST_CASE("a torn last line is ended first and spoils no other, nor the chain") {
  const TempDirectory directory;
  const std::string path = directory.file("log");
  REQUIRE(append_to_monitor_log(options_for(path), record("whole")));
  std::ofstream(path, std::ios::app) << "{\"torn";
  REQUIRE(append_to_monitor_log(options_for(path), record("next")));
  CHECK(texts(path) == Strings{"whole", "{\"torn", "next"});
  const auto verified = verify_log(path, {});
  REQUIRE(verified);
  CHECK(verified->problem_count == 0);
  CHECK(verified->torn == 1);
}

TEST_CASE("past its size the log is renamed, and the oldest is given up") {
  const TempDirectory directory;
  const std::string path = directory.file("log");
  for (int i = 0; i < 9; ++i)
    REQUIRE(append_to_monitor_log(options_for(path, kLine + kLine / 2, 2), record(std::to_string(i))));
  CHECK(texts(path) == Strings{"8"});
  CHECK(texts(path + ".1") == Strings{"7"});
  CHECK(texts(path + ".2") == Strings{"6"});
  CHECK_FALSE(fs::exists(path + ".3"));
  const auto verified = verify_log(path, {});
  REQUIRE(verified);
  CHECK(verified->problem_count == 0);
  CHECK(verified->first_seq == 7);
  CHECK(verified->lines == 3);
}

TEST_CASE("a line longer than the rotation size is written whole") {
  const TempDirectory directory;
  const std::string path = directory.file("log");
  const std::string line(1000, 'x');
  REQUIRE(append_to_monitor_log(options_for(path, 10, 2), record(line)));
  REQUIRE(append_to_monitor_log(options_for(path, 10, 2), record(line)));
  CHECK(texts(path) == Strings{line});
  CHECK(texts(path + ".1") == Strings{line});
}

TEST_CASE("with nothing to keep a full log starts again; without a rotation size it grows") {
  const TempDirectory directory;
  const std::string path = directory.file("log");
  for (int i = 0; i < 3; ++i)
    REQUIRE(append_to_monitor_log(options_for(path, kLine, 0), record(std::to_string(i))));
  CHECK(texts(path) == Strings{"2"});
  CHECK_FALSE(fs::exists(path + ".1"));
  for (int i = 0; i < 3; ++i) REQUIRE(append_to_monitor_log(options_for(path, 0, 1), record("more")));
  CHECK(texts(path) == Strings{"2", "more", "more", "more"});
}

TEST_CASE("a torn line is ended before its file is renamed") {
  const TempDirectory directory;
  const std::string path = directory.file("log");
  write_file(path, "0123456789");
  REQUIRE(append_to_monitor_log(options_for(path, 10, 1), record("next")));
  CHECK(content(path + ".1") == "0123456789\n");
  CHECK(texts(path) == Strings{"next"});
}

TEST_CASE("a symbolic link, a directory or a FIFO in the place of the log is refused") {
  const TempDirectory directory;
  write_file(directory.file("victim"), "untouched");
  const std::string link = directory.file("link");
  REQUIRE(symlink("victim", link.c_str()) == 0);
  const Result<void> linked = append_to_monitor_log(options_for(link), "{}");
  REQUIRE_FALSE(linked);
  CHECK(linked.error().error_number == ELOOP);
  CHECK(content(directory.file("victim")) == "untouched");

  REQUIRE(symlink("victim", directory.file("log.lock").c_str()) == 0);
  CHECK_FALSE(append_to_monitor_log(options_for(directory.file("log")), "{}"));

  REQUIRE(mkdir(directory.file("dir").c_str(), 0700) == 0);
  CHECK_FALSE(append_to_monitor_log(options_for(directory.file("dir")), "{}"));
  REQUIRE(mkfifo(directory.file("fifo").c_str(), 0600) == 0);
  CHECK_FALSE(append_to_monitor_log(options_for(directory.file("fifo")), "{}"));
}

TEST_CASE("an error says what failed, and is returned") {
  const Result<void> result = append_to_monitor_log(options_for("/proc/no-such-place/log"), "{}");
  REQUIRE_FALSE(result);
  CHECK(result.error().text.starts_with("monitor log: "));
  CHECK(result.error().text.find("/proc/no-such-place") != std::string::npos);
}

TEST_CASE("a write that stops in the middle is taken back, and told by the next one") {
  const TempDirectory directory;
  const std::string path = directory.file("log");
  REQUIRE(append_to_monitor_log(options_for(path), record("before")));
  const std::string failure = in_child([&]() -> std::string {
    // A file size limit does what a full disk does: it takes the first bytes of a write, then refuses.
    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR) return "signal";
    const rlimit limit{300, 300};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return "setrlimit";
    for (int i = 0; i < 2; ++i) {
      const Result<void> result = append_to_monitor_log(options_for(path), record(std::string(300, 'x')));
      if (result) return "the write succeeded";
      if (result.error().error_number != EFBIG) return result.error().text;
    }
    return "";
  });
  CHECK(failure == "");
  CHECK(texts(path) == Strings{"before"});
  CHECK(verify_log(path, {})->lost == 2);
  REQUIRE(append_to_monitor_log(options_for(path), record("after")));
  CHECK(texts(path) == Strings{"before", "log.lost", "after"});
  std::istringstream lines(content(path));
  std::string line;
  REQUIRE((std::getline(lines, line) && std::getline(lines, line)));
  const auto lost = nlohmann::json::parse(line);
  CHECK(lost["lines"] == 2);
  CHECK(lost["why"] == "EFBIG");
  CHECK(lost["since"] <= lost["time"]);
  const auto verified = verify_log(path, {});
  CHECK(verified->problem_count == 0);
  CHECK(verified->lost == 0);
}

TEST_CASE("a full disk leaves whole lines, and the log goes on when there is space again") {
  SKIP_UNLESS(test::is_root(), "needs root (a tmpfs of its own)");
  const TempDirectory directory;
  const std::string failure = in_child([&]() -> std::string {
    const std::string mount_point = directory.file("small");
    if (mkdir(mount_point.c_str(), 0700) != 0 || unshare(CLONE_NEWNS) != 0) return "unshare";
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return "private mounts";
    if (mount("small", mount_point.c_str(), "tmpfs", 0, "size=64k") != 0) return "mount";
    const MonitorLogOptions options = options_for(mount_point + "/log");
    // Longer than a page: the last one is written in part before the space ends.
    const std::string line(5000, 'x');
    unsigned written = 0;
    Result<void> result;
    while ((result = append_to_monitor_log(options, record(line)))) ++written;
    if (result.error().error_number != ENOSPC) return result.error().text;
    if (written < 5 || texts(options.path) != Strings(written, line)) return "a line is torn";
    if (append_to_monitor_log(options, record(line))) return "it fits the second time";
    if (verify_log(options.path, {})->lost != 2) return "what was lost is not counted";
    if (rename(options.path.c_str(), (options.path + ".1").c_str()) != 0) return "rename";
    if (truncate((options.path + ".1").c_str(), 0) != 0) return "truncate";
    if (!append_to_monitor_log(options, record(line))) return "no line after there is space";
    if (texts(options.path) != Strings{"log.lost", line}) return "wrong lines";
    return verify_log(options.path, {})->problem_count == 0 ? "" : "the chain is broken";
  });
  CHECK(failure == "");
}

TEST_CASE("parallel writers on a rotating log lose no line and tear none") {
  constexpr int kWriters = 8;
  constexpr int kLines = 500;
  constexpr std::uint64_t kRotateBytes = 8192;
  const TempDirectory directory;
  const MonitorLogOptions options = options_for(directory.file("log"), kRotateBytes, 1000);
  std::vector<pid_t> children;
  for (int writer = 0; writer < kWriters; ++writer) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      bool good = true;
      for (int line = 0; line < kLines; ++line) {
        const std::string text = std::to_string(writer) + " " + std::to_string(line) + " ";
        const std::string filling(static_cast<std::size_t>(line % 90), 'x');
        good = append_to_monitor_log(options, record(text + filling)) && good;
      }
      _exit(good ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  int files = 0;
  while (fs::exists(options.path + "." + std::to_string(files + 1))) ++files;
  CHECK(files > 20);
  std::map<int, int> next;  // per writer: lines come in its order
  int wrong = 0;
  for (int i = files; i >= 0; --i) {
    const std::string bytes = content(i == 0 ? options.path : options.path + "." + std::to_string(i));
    CHECK(bytes.size() <= kRotateBytes);
    CHECK(bytes.ends_with('\n'));
    for (const std::string& text : texts(i == 0 ? options.path : options.path + "." + std::to_string(i))) {
      std::istringstream fields(text);
      int writer = -1;
      int line = -1;
      std::string filling;
      fields >> writer >> line >> filling;
      if (line != next[writer]++ || filling != std::string(static_cast<std::size_t>(line % 90), 'x')) ++wrong;
    }
  }
  CHECK(wrong == 0);
  CHECK(next.size() == kWriters);
  for (const auto& [writer, lines] : next) CHECK(lines == kLines);
  const auto verified = verify_log(options.path, {});
  REQUIRE(verified);
  CHECK(verified->lines == kWriters * kLines);
  CHECK(verified->problem_count == 0);
}

}  // namespace
}  // namespace sbx
