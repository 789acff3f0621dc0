// What the probes share: every attempt prints one line NAME=RESULT, where RESULT is "ok" or an errno's name.
#pragma once

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>

namespace sbx::probe {

inline void say(const std::string& name, const std::string& result) {
  std::printf("%s=%s\n", name.c_str(), result.c_str());
  (void)std::fflush(stdout);
}

inline std::string error_name(int number) {
  const char* name = strerrorname_np(number);
  return name != nullptr ? name : std::to_string(number);
}

// `result` as a C library call gives it: -1 and errno.
inline void report(const std::string& name, long result) { say(name, result < 0 ? error_name(errno) : "ok"); }

// The attempt in a process of its own, which what it changes or what kills it ends with.
template <class F>
void attempt(const std::string& name, F call) {
  int status = 0;
  const pid_t pid = fork();
  if (pid == 0) {
    errno = 0;
    _exit(call() < 0 ? errno : 0);
  }
  if (pid < 0 || waitpid(pid, &status, 0) != pid) return report(name, -1);
  if (WIFSIGNALED(status)) return say(name, std::string("SIG") + sigabbrev_np(WTERMSIG(status)));
  say(name, WEXITSTATUS(status) == 0 ? "ok" : error_name(WEXITSTATUS(status)));
}

}  // namespace sbx::probe
