// A program on a terminal of the test's own: it runs on the slave of a pty made here, and the test types and
// reads at its master.
#pragma once

#include <doctest/doctest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include <array>
#include <chrono>
#include <cstring>
#include <iterator>
#include <string>
#include <vector>

#include "support/sandbox.h"

namespace sbx::test {

class TerminalRun {
 public:
  // A direct run of sbxrun's.
  TerminalRun(const Sandbox& sandbox, std::vector<std::string> arguments, winsize size = {24, 80, 0, 0},
              const std::string& tty = "-t")
      : TerminalRun(join({program_directory() + "/sbxrun", "--direct", tty, "--state-dir",
                          sandbox.state_dir(), "--run-dir", sandbox.run_dir(), "--log", sandbox.log()},
                         std::move(arguments)),
                    size) {}
  explicit TerminalRun(std::vector<std::string> command, winsize size = {24, 80, 0, 0}) {
    REQUIRE(openpty(&master_, &slave_, nullptr, nullptr, &size) == 0);
    REQUIRE(tcgetattr(slave_, &before_) == 0);
    std::vector<char*> list;
    for (std::string& word : command) list.push_back(word.data());
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
  static std::vector<std::string> join(std::vector<std::string> first, std::vector<std::string> rest) {
    first.insert(first.end(), std::make_move_iterator(rest.begin()), std::make_move_iterator(rest.end()));
    return first;
  }
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

}  // namespace sbx::test
