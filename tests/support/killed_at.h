// Work that is killed (SIGKILL) at one of its system calls, at its begin or its end, its children's among
// them.
#pragma once

#include <doctest/doctest.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <functional>

namespace sbx::test {

// How many stops are passed over from one try to the next.
inline int stride(int usual) { return std::getenv("SBX_TEST_EVERY_STOP") != nullptr ? 1 : usual; }

// Whether `work`, in a child, came to its end before its stop `number`; then it has to say that it is done.
inline bool ends_before(int number, const std::function<bool()>& work) {
  constexpr int kAlways = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(99);
    (void)raise(SIGSTOP);
    _exit(work() ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSTOPPED(status));
  REQUIRE(ptrace(PTRACE_SETOPTIONS, child, nullptr, kAlways) == 0);
  (void)ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
  int stops = 0;
  bool finished = false;
  while (true) {
    const pid_t stopped = waitpid(-1, &status, __WALL);
    if (stopped < 0) break;  // all of them are gone
    if (stopped == child && WIFEXITED(status)) {
      finished = true;
      CHECK(WEXITSTATUS(status) == 0);
    }
    if (!WIFSTOPPED(status)) continue;
    if (++stops == number) (void)kill(child, SIGKILL);
    const int signal = WSTOPSIG(status);
    const bool ours = signal == SIGTRAP || signal == SIGSTOP;
    (void)ptrace(PTRACE_SYSCALL, stopped, nullptr, ours ? 0 : signal);
  }
  return finished;
}

}  // namespace sbx::test
