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
#include <sstream>

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
  CHECK(content(path) == "{\"a\":1}\n{}\n");
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0600);
  REQUIRE(stat(directory.file("a/b").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0700);
}

TEST_CASE("a line that holds a line break is refused") {
  const TempDirectory directory;
  CHECK_FALSE(append_to_monitor_log(options_for(directory.file("log")), "a\nb"));
  CHECK_FALSE(fs::exists(directory.file("log")));
}

TEST_CASE("/dev/null is no log at all") {
  CHECK(append_to_monitor_log(options_for("/dev/null"), "x"));
  CHECK_FALSE(fs::exists("/dev/null.lock"));
}

TEST_CASE("a torn last line is ended first and spoils no other") {
  const TempDirectory directory;
  const std::string path = directory.file("log");
  write_file(path, "whole\n{\"torn");
  REQUIRE(append_to_monitor_log(options_for(path), "next"));
  CHECK(content(path) == "whole\n{\"torn\nnext\n");
}

TEST_CASE("past its size the log is renamed, and the oldest is given up") {
  const TempDirectory directory;
  const std::string path = directory.file("log");
  for (int i = 0; i < 9; ++i)
    REQUIRE(append_to_monitor_log(options_for(path, 10, 2), "line" + std::to_string(i)));
  // Six bytes a line: one fits into ten.
  CHECK(content(path) == "line8\n");
  CHECK(content(path + ".1") == "line7\n");
  CHECK(content(path + ".2") == "line6\n");
  CHECK_FALSE(fs::exists(path + ".3"));
}

TEST_CASE("a line longer than the rotation size is written whole") {
  const TempDirectory directory;
  const std::string path = directory.file("log");
  const std::string line(100, 'x');
  REQUIRE(append_to_monitor_log(options_for(path, 10, 2), line));
  REQUIRE(append_to_monitor_log(options_for(path, 10, 2), line));
  CHECK(content(path) == line + "\n");
  CHECK(content(path + ".1") == line + "\n");
}

TEST_CASE("with nothing to keep a full log starts again; without a rotation size it grows") {
  const TempDirectory directory;
  const std::string path = directory.file("log");
  for (int i = 0; i < 3; ++i)
    REQUIRE(append_to_monitor_log(options_for(path, 10, 0), "line" + std::to_string(i)));
  CHECK(content(path) == "line2\n");
  CHECK_FALSE(fs::exists(path + ".1"));
  for (int i = 0; i < 3; ++i) REQUIRE(append_to_monitor_log(options_for(path, 0, 1), "more"));
  CHECK(content(path) == "line2\nmore\nmore\nmore\n");
}

TEST_CASE("a torn line is ended before its file is renamed") {
  const TempDirectory directory;
  const std::string path = directory.file("log");
  write_file(path, "0123456789");
  REQUIRE(append_to_monitor_log(options_for(path, 10, 1), "next"));
  CHECK(content(path + ".1") == "0123456789\n");
  CHECK(content(path) == "next\n");
}

TEST_CASE("a symbolic link, a directory or a FIFO in the place of the log is refused") {
  const TempDirectory directory;
  write_file(directory.file("victim"), "untouched");
  const std::string link = directory.file("link");
  REQUIRE(symlink("victim", link.c_str()) == 0);
  const Result<void> linked = append_to_monitor_log(options_for(link), "x");
  REQUIRE_FALSE(linked);
  CHECK(linked.error().error_number == ELOOP);
  CHECK(content(directory.file("victim")) == "untouched");

  REQUIRE(symlink("victim", directory.file("log.lock").c_str()) == 0);
  CHECK_FALSE(append_to_monitor_log(options_for(directory.file("log")), "x"));

  REQUIRE(mkdir(directory.file("dir").c_str(), 0700) == 0);
  CHECK_FALSE(append_to_monitor_log(options_for(directory.file("dir")), "x"));
  REQUIRE(mkfifo(directory.file("fifo").c_str(), 0600) == 0);
  CHECK_FALSE(append_to_monitor_log(options_for(directory.file("fifo")), "x"));
}

TEST_CASE("an error says what failed, and is returned") {
  const Result<void> result = append_to_monitor_log(options_for("/proc/no-such-place/log"), "x");
  REQUIRE_FALSE(result);
  CHECK(result.error().text.starts_with("monitor log: "));
  CHECK(result.error().text.find("/proc/no-such-place") != std::string::npos);
}

TEST_CASE("a write that stops in the middle is taken back") {
  const TempDirectory directory;
  const std::string path = directory.file("log");
  REQUIRE(append_to_monitor_log(options_for(path), "before"));
  const std::string failure = in_child([&]() -> std::string {
    // A file size limit does what a full disk does: it takes the first bytes of a write, then refuses.
    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR) return "signal";
    const rlimit limit{20, 20};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return "setrlimit";
    const Result<void> result = append_to_monitor_log(options_for(path), std::string(100, 'x'));
    if (result) return "the write succeeded";
    return result.error().error_number == EFBIG ? "" : result.error().text;
  });
  CHECK(failure == "");
  CHECK(content(path) == "before\n");
  REQUIRE(append_to_monitor_log(options_for(path), "after"));
  CHECK(content(path) == "before\nafter\n");
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
    while ((result = append_to_monitor_log(options, line))) ++written;
    if (result.error().error_number != ENOSPC) return result.error().text;
    if (written < 5 || content(options.path).size() != written * (line.size() + 1)) return "a line is torn";
    if (append_to_monitor_log(options, line)) return "it fits the second time";
    if (truncate(options.path.c_str(), 0) != 0) return "truncate";
    if (!append_to_monitor_log(options, line)) return "no line after there is space";
    return content(options.path) == line + "\n" ? "" : "wrong line";
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
        good = append_to_monitor_log(options, text + std::string(static_cast<std::size_t>(line % 90), 'x')) &&
               good;
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
    std::istringstream lines(bytes);
    std::string text;
    while (std::getline(lines, text)) {
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
}

}  // namespace
}  // namespace sbx
