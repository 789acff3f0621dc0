// Relayed and captured streams: nothing is lost, whoever is slow, late or gone.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <thread>

#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

using nlohmann::json;
using Strings = std::vector<std::string>;

// 20 MB that repeat nowhere, so that a lost or doubled piece shows.
constexpr const char* kNumbers = "seq 1 2600000";
constexpr std::size_t kNumbersBytes = 19'688'896;

std::string numbers() {
  std::string text;
  text.reserve(kNumbersBytes);
  for (int i = 1; i <= 2'600'000; ++i) text += std::to_string(i) + "\n";
  return text;
}

// Says where two texts part, not both of them.
void check_same(const std::string& got, const std::string& expected) {
  CHECK(got.size() == expected.size());
  std::size_t at = 0;
  while (at < got.size() && at < expected.size() && got[at] == expected[at]) ++at;
  const bool same = got == expected;
  CHECK_MESSAGE(same, "different from byte " << at);
}

ProgramOptions with_output(int fd) {
  ProgramOptions program;
  program.before_exec = [fd] {
    if (dup2(fd, 1) != 1) _exit(99);
  };
  return program;
}

// With time for a slow machine.
ProgramOptions patient(ProgramOptions program) {
  program.timeout = std::chrono::minutes(2) * time_scale();
  return program;
}

// A pair of connected sockets; a reader in a thread of its own collects what comes.
class SocketReader {
 public:
  explicit SocketReader(std::chrono::milliseconds pause_before,
                        std::chrono::milliseconds pause_between = {}) {
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_.data()) == 0);
    thread_ = std::thread([this, pause_before, pause_between] {
      std::this_thread::sleep_for(pause_before);
      std::array<char, 65536> buffer{};
      while (true) {
        const ssize_t size = read(ends_[0], buffer.data(), buffer.size());
        if (size <= 0) return;
        text_.append(buffer.data(), static_cast<std::size_t>(size));
        std::this_thread::sleep_for(pause_between);
      }
    });
  }
  SocketReader(const SocketReader&) = delete;
  SocketReader& operator=(const SocketReader&) = delete;
  ~SocketReader() {
    if (thread_.joinable()) (void)text();
    (void)close(ends_[0]);
  }
  [[nodiscard]] int writer() const { return ends_[1]; }
  // Call after the run: closes the writing end and waits for the reader.
  const std::string& text() {
    (void)close(ends_[1]);
    thread_.join();
    return text_;
  }

 private:
  std::array<int, 2> ends_{};
  std::string text_;
  std::thread thread_;
};

}  // namespace

TEST_CASE("20 MB come through a passed pipe, a relay and a relayed standard input unbroken") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string expected = numbers();
  // More than the policy's 8M of output: passed and relayed streams have no limit unless asked.
  check_same(sandbox.run({"--wall-time", "20m", "--", "/bin/sh", "-c", kNumbers}, patient({})).out, expected);
  check_same(
      sandbox
          .run({"--wall-time", "20m", "--output-limit", "30M", "--", "/bin/sh", "-c", kNumbers}, patient({}))
          .out,
      expected);

  const std::string path = sandbox.directory() + "/both-ways";
  const int both_ways = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  REQUIRE(both_ways >= 0);
  CHECK(sandbox.run({"--wall-time", "20m", "--", "/bin/sh", "-c", kNumbers}, patient(with_output(both_ways)))
            .exit_status == 0);
  check_same(read_file(path), expected);

  REQUIRE(lseek(both_ways, 0, SEEK_SET) == 0);
  ProgramOptions input;
  input.before_exec = [both_ways] {
    if (dup2(both_ways, 0) != 0) _exit(99);
  };
  check_same(sandbox.run({"--wall-time", "20m", "--", "/bin/cat"}, patient(input)).out, expected);
  (void)close(both_ways);
}

TEST_CASE("20 MB are captured unbroken under a limit that has room for them") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json object = sandbox.run_json(
      {"--wall-time", "20m", "--output-limit", "20M", "--", "/bin/sh", "-c", kNumbers}, patient({}));
  CHECK(object["outcome"] == "exited");
  check_same(object["stdout"]["text"].get<std::string>(), numbers());
}

TEST_CASE("a slow reader of a relayed stream gets every byte") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  SocketReader reader(std::chrono::milliseconds(0), std::chrono::milliseconds(5));
  const ProgramResult result =
      sandbox.run({"--", "/usr/bin/seq", "1", "300000"}, with_output(reader.writer()));
  CHECK(result.exit_status == 0);
  check_same(reader.text(), numbers().substr(0, 1'988'895));
}

TEST_CASE("a reader that starts long after the program's end gets every byte") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  // More than the socket holds, less than the socket and the pipe hold together: the program can end.
  SocketReader reader(std::chrono::seconds(4 * time_scale()));
  const ProgramResult result =
      sandbox.run({"--", "/usr/bin/seq", "1", "17000"}, with_output(reader.writer()));
  CHECK(result.exit_status == 0);
  check_same(reader.text(), numbers().substr(0, 90'894));
}

TEST_CASE("a reader that never reads holds sbxrun only until it is told to end") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  std::array<int, 2> ends{};
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  ProgramOptions program = with_output(ends[1]);
  program.null_input = true;
  program.after_start = [&sandbox](pid_t pid) {
    // The program has ended when its record is there; a moment later sbxrun knows it, too.
    const std::string status = "/proc/" + std::to_string(pid) + "/status";
    for (int i = 0; i < 600 * time_scale() && read_file(status).find("State:\tZ") == std::string::npos; ++i) {
      if (!sandbox.log_lines().empty()) (void)kill(pid, SIGTERM);
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  };
  const ProgramResult result = sandbox.run({"--", "/usr/bin/seq", "1", "17000"}, program);
  CHECK_FALSE(result.timed_out);
  REQUIRE(sandbox.log_lines().size() == 1);
  CHECK(sandbox.log_lines()[0]["outcome"] == "exited");
  for (const int end : ends) (void)close(end);
}

TEST_CASE("a reader that goes away ends the program by SIGPIPE, passed or relayed") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string sbxrun = program_directory() + "/sbxrun --direct -q --state-dir " + sandbox.state_dir() +
                             " --run-dir " + sandbox.run_dir() + " --log " + sandbox.log();
  for (const std::string options : {"", "--output-limit 100M"}) {
    const std::string script =
        "{ " + sbxrun + " " + options + " -- /usr/bin/yes; echo $? >&2; } | head -c 10";
    const ProgramResult result = run_program({"/bin/sh", "-c", script});
    INFO("options: " << options << " said: " << result.err);
    CHECK(result.out == "y\ny\ny\ny\ny\n");
    CHECK(result.err == "141\n");
    REQUIRE_FALSE(sandbox.log_lines().empty());
    CHECK(sandbox.log_lines().back()["signal"] == "SIGPIPE");
  }
}

TEST_CASE("relayed output that cannot be written is not lost in silence") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  REQUIRE(full >= 0);
  ProgramOptions program = with_output(full);
  const ProgramResult result = sandbox.sbxrun({"--direct", "--", "/bin/echo", "important"}, program);
  CHECK(result.exit_status == 125);
  CHECK_MESSAGE(result.err.find("no space left on device") != std::string::npos, result.err);
  (void)close(full);
}

TEST_CASE("a program may open its relayed or captured streams again") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string script =
      "echo 1 > /dev/stdout; echo 2 > /dev/stderr; echo 3 > /proc/self/fd/1; echo 4 > /dev/fd/2";
  const json object = sandbox.run_json({"--", "/bin/sh", "-c", script});
  CHECK(object["stdout"]["text"] == "1\n3\n");
  CHECK(object["stderr"]["text"] == "2\n4\n");
  const ProgramResult relayed = sandbox.run({"--output-limit", "1M", "--", "/bin/sh", "-c", script});
  CHECK(relayed.out == "1\n3\n");
  CHECK(relayed.err == "2\n4\n");
  // A device as standard input is relayed, too.
  const int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
  REQUIRE(zero >= 0);
  ProgramOptions program;
  program.before_exec = [zero] {
    if (dup2(zero, 0) != 0) _exit(99);
  };
  CHECK(sandbox.run({"--", "/bin/sh", "-c", "head -c 5 /dev/stdin | wc -c"}, program).out == "5\n");
  (void)close(zero);
}

TEST_CASE("a child that keeps the streams open does not keep sbxrun waiting") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string script = "setsid sleep 600 & (setsid sleep 600 &); echo done";
  for (const Strings& options : {Strings{}, Strings{"--output-limit", "1M"}}) {
    const ProgramResult result = sandbox.shell(script, options);
    CHECK(result.out == "done\n");
    CHECK_FALSE(result.timed_out);
  }
  CHECK(sandbox.run_json({"--", "/bin/sh", "-c", script})["stdout"]["text"] == "done\n");
}

TEST_CASE("an input that never ends does not keep sbxrun waiting") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  std::array<int, 2> ends{};
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  ProgramOptions program;
  program.before_exec = [&ends] {
    if (dup2(ends[1], 0) != 0) _exit(99);
  };
  const ProgramResult result = sandbox.run({"--", "/bin/echo", "done"}, program);
  CHECK(result.out == "done\n");
  CHECK_FALSE(result.timed_out);
  (void)close(ends[0]);
  (void)close(ends[1]);
}

TEST_CASE("the program starts with no signal ignored or blocked") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  ProgramOptions program;
  program.before_exec = [] {
    (void)(signal(SIGINT, SIG_IGN) == SIG_ERR || signal(SIGPIPE, SIG_IGN) == SIG_ERR);
  };
  const ProgramResult result =
      sandbox.run({"--", "/bin/grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"}, program);
  CHECK(result.out == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

}  // namespace sbx::test
