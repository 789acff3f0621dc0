// -t: a terminal of the sandbox's own behind the caller's. The test is the caller's terminal: sbxrun runs on
// the slave of a pty made here, and the test types and reads at its master.
#include <doctest/doctest.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

using nlohmann::json;
using Strings = std::vector<std::string>;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size()))
    ++found;
  return found;
}

class TerminalRun {
 public:
  TerminalRun(const Sandbox& sandbox, Strings arguments, winsize size = {24, 80, 0, 0},
              const std::string& tty = "-t") {
    REQUIRE(openpty(&master_, &slave_, nullptr, nullptr, &size) == 0);
    REQUIRE(tcgetattr(slave_, &before_) == 0);
    arguments.insert(arguments.begin(),
                     {program_directory() + "/sbxrun", "--direct", tty, "--state-dir", sandbox.state_dir(),
                      "--run-dir", sandbox.run_dir(), "--log", sandbox.log()});
    std::vector<char*> list;
    for (std::string& argument : arguments) list.push_back(argument.data());
    list.push_back(nullptr);
    pid_ = fork();
    if (pid_ != 0) return;
    (void)close(master_);
    if (login_tty(slave_) == 0) (void)execv(list[0], list.data());
    _exit(99);
  }
  TerminalRun(const TerminalRun&) = delete;
  TerminalRun& operator=(const TerminalRun&) = delete;
  ~TerminalRun() {
    if (pid_ > 0) {
      (void)kill(pid_, SIGKILL);
      (void)waitpid(pid_, nullptr, 0);
    }
    hang_up();
    (void)close(slave_);
  }

  void type(const std::string& keys) const {
    REQUIRE(write(master_, keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
  }

  // Reads until `text` has come (since the last call of it); false when it does not.
  bool shows(const std::string& text) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30 * time_scale());
    while (true) {
      const std::size_t at = screen_.find(text, seen_);
      if (at != std::string::npos) {
        seen_ = at + text.size();
        return true;
      }
      if (std::chrono::steady_clock::now() > deadline) return false;
      read_some(100);
    }
  }

  void resize(unsigned short rows, unsigned short columns) const {
    const winsize size{rows, columns, 0, 0};
    REQUIRE(ioctl(master_, TIOCSWINSZ, &size) == 0);  // and the kernel tells sbxrun by SIGWINCH
  }

  void hang_up() {
    if (master_ >= 0) (void)close(master_);
    master_ = -1;
  }

  // The exit status; -1 when it does not end. All output is in screen() then, but what is left `unread`.
  // `signal` is sent all the while.
  int wait(bool unread = false, int signal = 0) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60 * time_scale());
    int status = 0;
    while (waitpid(pid_, &status, WNOHANG) == 0) {
      if (std::chrono::steady_clock::now() > deadline) return -1;
      if (signal != 0) (void)kill(pid_, signal);
      if (unread) (void)usleep(20'000);
      if (!unread) read_some(20);
    }
    pid_ = -1;
    while (!unread && read_some(0)) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  [[nodiscard]] bool raw() const {
    termios now{};
    REQUIRE(tcgetattr(slave_, &now) == 0);
    return (now.c_lflag & (ICANON | ECHO | ISIG)) == 0;
  }
  [[nodiscard]] bool becomes_raw(bool wanted) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30 * time_scale());
    while (raw() != wanted) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      (void)usleep(10'000);
    }
    return true;
  }
  [[nodiscard]] bool restored() const {
    termios now{};
    REQUIRE(tcgetattr(slave_, &now) == 0);
    return now.c_iflag == before_.c_iflag && now.c_oflag == before_.c_oflag &&
           now.c_cflag == before_.c_cflag && now.c_lflag == before_.c_lflag &&
           std::memcmp(now.c_cc, before_.c_cc, sizeof now.c_cc) == 0;
  }
  [[nodiscard]] const std::string& screen() const { return screen_; }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  bool read_some(int milliseconds) {
    pollfd ready{master_, POLLIN, 0};
    if (master_ < 0 || poll(&ready, 1, milliseconds) <= 0) {
      if (master_ < 0) (void)usleep(20'000);
      return false;
    }
    std::array<char, 65536> buffer{};
    const ssize_t size = read(master_, buffer.data(), buffer.size());
    if (size > 0) screen_.append(buffer.data(), static_cast<std::size_t>(size));
    return size > 0;
  }

  int master_ = -1;
  int slave_ = -1;
  pid_t pid_ = -1;
  termios before_{};
  std::string screen_;
  std::size_t seen_ = 0;
};

Strings shell(const std::string& script) { return {"--", "/bin/sh", "-c", script}; }

}  // namespace

TEST_CASE("with -t the three streams are one terminal of the sandbox") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  TerminalRun run(
      sandbox,
      shell("tty; test -t 0 && test -t 1 && test -t 2 && echo all; echo TERM=$TERM; echo here > /dev/tty; "
            "echo stderr >&2; exit 42"));
  CHECK(run.wait() == 42);
  for (const char* line : {"/dev/pts/0\r\n", "all\r\n", "TERM=", "here\r\n", "stderr\r\n"})
    CHECK_MESSAGE(holds(run.screen(), line), run.screen());
  CHECK(run.restored());
}

TEST_CASE("the terminal inside has the caller's size and follows it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  TerminalRun run(sandbox, shell("trap 'stty size' WINCH; stty size; while :; do sleep 0.1; done"),
                  {40, 100, 0, 0});
  CHECK(run.shows("40 100"));
  run.resize(50, 132);
  CHECK(run.shows("50 132"));
  run.resize(10, 20);
  CHECK(run.shows("10 20"));
  run.type("\x03");
  CHECK(run.wait() == 130);
}

TEST_CASE("what is typed is echoed once, by the terminal inside, which can turn it off") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  TerminalRun run(
      sandbox,
      shell("echo ready; read word; echo got $word; stty -echo; echo dark; read word; echo got $word"));
  CHECK(run.shows("ready"));
  CHECK(run.raw());
  run.type("hello\r");
  CHECK(run.shows("got hello"));
  CHECK(run.shows("dark"));
  run.type("secret\r");
  CHECK(run.shows("got secret"));
  CHECK(run.wait() == 0);
  CHECK(count(run.screen(), "hello") == 2);
  CHECK(count(run.screen(), "secret") == 1);
  CHECK(run.restored());
}

TEST_CASE("Ctrl-C, Ctrl-\\ and Ctrl-D are keys for the program") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  TerminalRun trapped(sandbox,
                      shell("trap 'echo interrupted; exit 5' INT; echo ready; while :; do sleep 0.1; done"));
  CHECK(trapped.shows("ready"));
  trapped.type("\x03");
  CHECK(trapped.shows("interrupted"));
  CHECK(trapped.wait() == 5);
  CHECK(sandbox.log_lines().back()["outcome"] == "exited");

  TerminalRun plain(sandbox, shell("echo ready; exec sleep 600"));
  CHECK(plain.shows("ready"));
  plain.type("\x1c");
  CHECK(plain.wait() == 131);
  CHECK(sandbox.log_lines().back()["signal"] == "SIGQUIT");

  TerminalRun cat(sandbox, shell("echo ready; exec cat"));
  CHECK(cat.shows("ready"));
  cat.type("line\r\x04");
  CHECK(cat.wait() == 0);
  CHECK(count(cat.screen(), "line") == 2);
}

TEST_CASE("the caller's terminal is restored however the run ends") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  TerminalRun timed_out(sandbox,
                        {"--wall-time", std::to_string(time_scale()) + "s", "--", "/bin/sleep", "600"});
  CHECK(timed_out.wait() == 124);
  CHECK(timed_out.restored());
  TerminalRun missing(sandbox, {"--", "/no/such/program"});
  CHECK(missing.wait() == 127);
  CHECK(missing.restored());
  TerminalRun cancelled(sandbox, shell("echo ready; exec sleep 600"));
  CHECK(cancelled.shows("ready"));
  REQUIRE(kill(cancelled.pid(), SIGTERM) == 0);
  CHECK(cancelled.wait() == 143);
  CHECK(cancelled.restored());
  CHECK(sandbox.log_lines().back()["outcome"] == "cancelled");
}

TEST_CASE("a terminal that is hung up cancels the run") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  std::size_t runs = 0;
  // The second one has still to write when there is nobody to write to: that is no failure of its own.
  for (const char* script : {"echo ready; exec sleep 600", "echo ready; while :; do echo more; done"}) {
    CAPTURE(script);
    TerminalRun run(sandbox, shell(script));
    CHECK(run.shows("ready"));
    run.hang_up();
    CHECK(run.wait() >= 128);
    REQUIRE(sandbox.log_lines().size() == ++runs);
    CHECK(sandbox.log_lines().back()["outcome"] == "cancelled");
  }
}

TEST_CASE("all output of a program that ends at once reaches the terminal") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  std::string expected;
  for (int i = 1; i <= 30'000; ++i) expected += std::to_string(i) + "\r\n";
  TerminalRun run(sandbox, {"--", "/usr/bin/seq", "1", "30000"});
  CHECK(run.wait() == 0);
  CHECK(run.screen().size() == expected.size());
  const bool same = run.screen() == expected;
  CHECK(same);
}

TEST_CASE("-t without a terminal: the program has one, and the caller's pipes feed and read it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  ProgramOptions program;
  program.input = "one\ntwo\n";
  const ProgramResult result =
      sandbox.run({"-t", "--", "/bin/sh", "-c", "stty -echo; test -t 0 && stty size; cat"}, program);
  CHECK(result.exit_status == 0);
  CHECK_FALSE(result.timed_out);
  CHECK(holds(result.out, "24 80\r\n"));
  CHECK(holds(result.out, "one\r\ntwo\r\n"));
}

TEST_CASE("a terminal that nobody reads does not keep sbxrun from ending") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  // Relayed to a terminal, without -t.
  Strings flood = shell("while :; do echo 0123456789; done");
  flood.insert(flood.begin(), {"--wall-time", std::to_string(time_scale()) + "s"});
  const auto fill = [&](TerminalRun& run, std::size_t runs) {
    REQUIRE(run.shows("0123456789"));
    while (sandbox.log_lines().size() < runs) (void)usleep(50'000);  // the run is over, and the terminal full
    REQUIRE(kill(run.pid(), SIGTERM) == 0);                          // without it every byte is waited for
  };
  TerminalRun quiet(sandbox, flood, {24, 80, 0, 0}, "-qi");
  fill(quiet, 1);
  CHECK(quiet.wait(true) == 124);
  // The verdict finds no reader either.
  TerminalRun verdict(sandbox, flood, {24, 80, 0, 0}, "-i");
  fill(verdict, 2);
  CHECK(verdict.wait(true, SIGTERM) == 128 + SIGTERM);
}

TEST_CASE("a signal that stops or quits sbxrun gives the caller's terminal back") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  TerminalRun run(sandbox, shell("echo ready; exec sleep 600"));
  REQUIRE(run.shows("ready"));
  REQUIRE(run.raw());
  REQUIRE(kill(run.pid(), SIGTSTP) == 0);
  CHECK(run.becomes_raw(false));
  REQUIRE(kill(run.pid(), SIGCONT) == 0);
  CHECK(run.becomes_raw(true));
  REQUIRE(kill(run.pid(), SIGQUIT) == 0);
  CHECK(run.wait() == 128 + SIGQUIT);
  CHECK(run.restored());
}

TEST_CASE("input that the program never reads does not hold up the end of the run") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  ProgramOptions program;
  program.input = std::string(1U << 20U, 'x');  // more than a terminal holds
  program.timeout = std::chrono::seconds(30 * time_scale());
  const ProgramResult result =
      sandbox.run({"-t", "--timeout", "1s", "--", "/bin/sh", "-c", "stty raw -echo; sleep 100"}, program);
  CHECK_FALSE(result.timed_out);
  CHECK(result.exit_status == 124);
}

TEST_CASE("-t lifts the default policy's wall time, not one that is asked for or that a policy keeps") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string file = sandbox.directory() + "/result.json";
  const auto wall = [&](Strings options) {
    options.insert(options.begin(), {"-t", "--result", file});
    options.insert(options.end(), {"--", "/bin/true"});
    CHECK(sandbox.run(options).exit_status == 0);
    const json object = json::parse(read_file(file));
    CHECK(object["stdout"] == nullptr);
    return object["limits"]["wall_ms"];
  };
  CHECK(wall({}) == nullptr);
  CHECK(wall({"--wall-time", "20s"}) == 20'000);
  CHECK(wall({"--policy", "strict"}) == 10'000);
}

}  // namespace sbx::test
