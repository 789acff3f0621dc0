// What becomes of every kind of descriptor that sbxrun can find at 0 to 2: passed, relayed or refused.
// Amounts, speed and ends of relayed streams: streams_relay_test.cc; -t: streams_terminal_test.cc.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <pty.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

using nlohmann::json;
using Strings = std::vector<std::string>;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// sbxrun with `fd` as its descriptor `target`; fd -1: closed.
ProgramOptions with_fd(int target, int fd) {
  ProgramOptions program;
  program.before_exec = [target, fd] {
    if (fd < 0) {
      (void)close(target);
    } else if (dup2(fd, target) != target) {
      _exit(99);
    }
  };
  return program;
}

// An open file of the test, closed with it.
class File {
 public:
  explicit File(int fd) : fd_(fd) { REQUIRE(fd >= 0); }
  File(const std::string& path, int flags) : File(open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, 0600)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { (void)close(fd_); }
  [[nodiscard]] int fd() const { return fd_; }
  // All that is in it from its start.
  [[nodiscard]] std::string text() const {
    std::array<char, 4096> buffer{};
    const ssize_t size = pread(fd_, buffer.data(), buffer.size(), 0);
    return {buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
  }

 private:
  int fd_;
};

std::string read_some(int fd) {
  std::array<char, 4096> buffer{};
  const ssize_t size = read(fd, buffer.data(), buffer.size());
  return {buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
}

std::string inode_of(int fd) {
  struct stat status {};
  REQUIRE(fstat(fd, &status) == 0);
  return std::to_string(status.st_ino);
}

// What the program sees at `target`: its type ("pipe", "regular", "character") and inode, told on another
// stream. Not by a shell: dash redirects its own streams for the time of a command.
std::string seen_at(const Sandbox& sandbox, int target, int fd) {
  const std::string code =
      "import os, stat, sys\n"
      "status = os.fstat(" +
      std::to_string(target) +
      ")\n"
      "kinds = {stat.S_IFIFO: 'pipe', stat.S_IFREG: 'regular', stat.S_IFCHR: 'character'}\n"
      "print(kinds.get(stat.S_IFMT(status.st_mode), '?'), status.st_ino, file=" +
      (target == 1 ? "sys.stderr)" : "sys.stdout)");
  const ProgramResult result = sandbox.run({"--", "/usr/bin/python3", "-c", code}, with_fd(target, fd));
  CHECK_MESSAGE(result.exit_status == 0, result.err);
  return target == 1 ? result.err : result.out;
}

}  // namespace

TEST_CASE("standard input is the caller's, with -i and without") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  ProgramOptions program;
  program.input = "from the caller\n";
  CHECK(sandbox.run({"--", "/bin/cat"}, program).out == "from the caller\n");
  for (const char* flag : {"-i", "--interactive"}) {
    CHECK(sandbox.run({flag, "--", "/bin/cat"}, program).out == "from the caller\n");
  }
  CHECK(sandbox.run_json({"--", "/bin/cat"}, program)["stdout"]["text"] == "from the caller\n");
}

TEST_CASE("a pipe is passed itself in either direction") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  std::array<int, 2> ends{};
  REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0);
  const File reading(ends[0]);
  const File writing(ends[1]);
  CHECK(seen_at(sandbox, 0, reading.fd()) == "pipe " + inode_of(reading.fd()) + "\n");
  CHECK(seen_at(sandbox, 1, writing.fd()) == "pipe " + inode_of(writing.fd()) + "\n");
  CHECK(seen_at(sandbox, 2, writing.fd()) == "pipe " + inode_of(writing.fd()) + "\n");
}

TEST_CASE("/dev/null is passed itself, however it was opened") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const int flags : {O_RDONLY, O_WRONLY, O_RDWR}) {
    const File null("/dev/null", flags);
    for (const int target : {0, 1, 2}) CHECK(seen_at(sandbox, target, null.fd()).starts_with("character "));
  }
}

TEST_CASE("a regular file for reading is passed, with its position") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string path = sandbox.directory() + "/file";
  write_file(path, "one\ntwo\n");
  const File reading(path, O_RDONLY);
  CHECK(seen_at(sandbox, 0, reading.fd()).starts_with("regular " + inode_of(reading.fd())));
  REQUIRE(lseek(reading.fd(), 4, SEEK_SET) == 4);
  CHECK(sandbox.run({"--", "/bin/cat"}, with_fd(0, reading.fd())).out == "two\n");
  CHECK(lseek(reading.fd(), 0, SEEK_CUR) == 8);
}

TEST_CASE("a regular file for writing is relayed: a program that has it could read and rewrite it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string path = sandbox.directory() + "/file";
  const File appending(path, O_WRONLY | O_CREAT | O_APPEND);
  for (const int target : {1, 2}) {
    CHECK_FALSE(seen_at(sandbox, target, appending.fd()).starts_with("regular "));
    const std::string number = std::to_string(target);
    // Going back, cutting it and opening it anew are in vain; what is written arrives at the end.
    const ProgramResult result = sandbox.run({"--", "/usr/bin/python3", "-c",
                                              "import os\n"
                                              "for attempt in (lambda: os.lseek(" +
                                                  number + ", 0, 0), lambda: os.ftruncate(" + number +
                                                  ", 0),\n"
                                                  "    lambda: os.truncate('/proc/self/fd/" +
                                                  number +
                                                  "', 0)):\n"
                                                  "  try: attempt()\n"
                                                  "  except OSError: pass\n"
                                                  "os.write(" +
                                                  number + ", b'more\\n')"},
                                             with_fd(target, appending.fd()));
    CHECK(result.exit_status == 0);
  }
  CHECK(read_file(path) == "more\nmore\n");
}

TEST_CASE("a file that is open in both directions is relayed") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string path = sandbox.directory() + "/file";
  write_file(path, "from the file\n");
  const File file(path, O_RDWR);
  CHECK(seen_at(sandbox, 0, file.fd()).starts_with("pipe "));
  REQUIRE(lseek(file.fd(), 0, SEEK_SET) == 0);
  CHECK(sandbox.run({"--", "/bin/cat"}, with_fd(0, file.fd())).out == "from the file\n");
  for (const int target : {1, 2}) {
    REQUIRE(ftruncate(file.fd(), 0) == 0);
    REQUIRE(lseek(file.fd(), 0, SEEK_SET) == 0);
    const ProgramResult result =
        sandbox.run({"--", "/bin/sh", "-c",
                     "stat -Lc %F /proc/self/fd/" + std::to_string(target) + " >&" + std::to_string(target)},
                    with_fd(target, file.fd()));
    CHECK(result.exit_status == 0);
    CHECK(file.text() == "fifo\n");
  }
}

TEST_CASE("a memfd is relayed") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const File memory(memfd_create("test", MFD_CLOEXEC));
  REQUIRE(write(memory.fd(), "in memory\n", 10) == 10);
  REQUIRE(lseek(memory.fd(), 0, SEEK_SET) == 0);
  CHECK(sandbox.run({"--", "/bin/sh", "-c", "stat -Lc %F /dev/stdin; cat"}, with_fd(0, memory.fd())).out ==
        "fifo\nin memory\n");
  // Also one that was opened again in one direction, and that nobody else may write to.
  REQUIRE(fchmod(memory.fd(), 0600) == 0);
  const File again("/proc/self/fd/" + std::to_string(memory.fd()), O_RDONLY);
  CHECK(sandbox.run({"--", "/bin/sh", "-c", "stat -Lc %F /dev/stdin; cat"}, with_fd(0, again.fd())).out ==
        "fifo\nin memory\n");
  REQUIRE(ftruncate(memory.fd(), 0) == 0);
  REQUIRE(lseek(memory.fd(), 0, SEEK_SET) == 0);
  CHECK(sandbox.run({"--", "/bin/echo", "out"}, with_fd(1, memory.fd())).exit_status == 0);
  CHECK(memory.text() == "out\n");
}

TEST_CASE("a socket is relayed") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  std::array<int, 2> ends{};
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  const File ours(ends[0]);
  const File theirs(ends[1]);
  REQUIRE(write(ours.fd(), "by socket\n", 10) == 10);
  REQUIRE(shutdown(ours.fd(), SHUT_WR) == 0);
  CHECK(sandbox.run({"--", "/bin/sh", "-c", "stat -Lc %F /dev/stdin; cat"}, with_fd(0, theirs.fd())).out ==
        "fifo\nby socket\n");
  for (const int target : {1, 2}) {
    const std::string number = std::to_string(target);
    CHECK(sandbox
              .run({"--", "/bin/sh", "-c", "stat -Lc %F /proc/self/fd/" + number + " >&" + number},
                   with_fd(target, theirs.fd()))
              .exit_status == 0);
    CHECK(read_some(ours.fd()) == "fifo\n");
  }
}

TEST_CASE("a terminal is relayed without -t and is none inside") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  int master_fd = -1;
  int slave_fd = -1;
  REQUIRE(openpty(&master_fd, &slave_fd, nullptr, nullptr, nullptr) == 0);
  const File master(master_fd);
  const File slave(slave_fd);
  REQUIRE(write(master.fd(), "typed\n\x04", 7) == 7);
  const ProgramResult in =
      sandbox.run({"--", "/bin/sh", "-c", "test -t 0 || echo none; cat"}, with_fd(0, slave.fd()));
  CHECK(in.out == "none\ntyped\n");
  (void)read_some(master.fd());  // the echo
  const ProgramResult out =
      sandbox.run({"--", "/bin/sh", "-c", "test -t 1 || echo none"}, with_fd(1, slave.fd()));
  CHECK(out.exit_status == 0);
  CHECK(read_some(master.fd()) == "none\r\n");
}

TEST_CASE("a device is relayed, and one without end does not keep sbxrun") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const File zero("/dev/zero", O_RDONLY);
  const ProgramResult result = sandbox.run(
      {"--", "/bin/sh", "-c", "stat -Lc %F /dev/stdin; head -c 300000 | wc -c"}, with_fd(0, zero.fd()));
  CHECK(result.out == "fifo\n300000\n");
  CHECK_FALSE(result.timed_out);
}

TEST_CASE("a directory or an O_PATH descriptor is refused by name, and nothing runs") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string path = sandbox.directory() + "/file";
  write_file(path, "x");
  const File directory(sandbox.directory(), O_RDONLY | O_DIRECTORY);
  const File handle(path, O_PATH);
  const std::array names{"standard input", "standard output", "standard error"};
  for (const int target : {0, 1, 2}) {
    for (const File* file : {&directory, &handle}) {
      const std::string mark = sandbox.directory() + "/mark";
      const ProgramResult result =
          sandbox.run({"-v", sandbox.directory() + ":/data", "--", "/bin/sh", "-c", ": > /data/mark"},
                      with_fd(target, file->fd()));
      CHECK((result.exit_status == 2 || result.exit_status == 125));
      if (target != 2) CHECK_MESSAGE(holds(result.err, names[static_cast<std::size_t>(target)]), result.err);
      CHECK(access(mark.c_str(), F_OK) != 0);
    }
  }
}

TEST_CASE("a closed stream is /dev/null inside, and no other descriptor takes its place") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const int target : {0, 1, 2}) CHECK(seen_at(sandbox, target, -1).starts_with("character "));
  const std::string file = sandbox.directory() + "/result.json";
  ProgramOptions none;
  none.before_exec = [] { (void)(close(0) + close(1) + close(2)); };
  const ProgramResult result =
      sandbox.run({"--result", file, "--", "/bin/sh", "-c", "cat; echo out; echo err >&2; exit 7"}, none);
  CHECK(result.exit_status == 7);
  CHECK(json::parse(read_file(file))["exit_code"] == 7);
  const ProgramResult captured =
      sandbox.run({"--json", "--", "/bin/sh", "-c", "cat; echo out"}, with_fd(0, -1));
  CHECK(json::parse(captured.out)["stdout"]["text"] == "out\n");
}

TEST_CASE("the program has no descriptor but its three streams") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const File leaked(sandbox.directory(), O_RDONLY);
  ProgramOptions program;
  program.before_exec = [&leaked] {
    if (dup2(leaked.fd(), 3) != 3 || dup2(leaked.fd(), 40) != 40) _exit(99);
  };
  const std::string list = "ls -m /proc/$$/fd; exit 0";
  CHECK(sandbox.run({"--", "/bin/sh", "-c", list}, program).out == "0, 1, 2\n");
  CHECK(sandbox.run({"--output-limit", "1M", "--", "/bin/sh", "-c", list}, program).out == "0, 1, 2\n");
  CHECK(sandbox.run_json({"--", "/bin/sh", "-c", list}, program)["stdout"]["text"] == "0, 1, 2\n");
}

}  // namespace sbx::test
