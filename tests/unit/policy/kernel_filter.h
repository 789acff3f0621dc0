// Loads the shipped filters into the kernel, each probe in a process of its own.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <vector>

#include "os/raw.h"
#include "policy/seccomp_profile.h"
#include "policy_fixture.h"

namespace sbx::testing {

using raw::call;
using raw::pointer;

inline constexpr long kHighBits = 0x7fff'ffff'0000'0000;

// Beyond every errno and every small result: "ended by this signal".
inline constexpr long kKilled = -100'000;

inline std::string compiled_filter(const std::string& name) {
  const std::string path = shipped_policies() + "/seccomp/" + name + ".yaml";
  return compile_seccomp(parse_seccomp_profile(path, read_text(path)).value()).value();
}

inline bool load_filter(const std::string& filter) {
  const rlimit no_core{0, 0};
  (void)setrlimit(RLIMIT_CORE, &no_core);
  sock_fprog program{};
  program.len = static_cast<unsigned short>(filter.size() / sizeof(sock_filter));
  program.filter = reinterpret_cast<sock_filter*>(const_cast<char*>(filter.data()));
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, pointer(&program)) == 0;
}

// What `probe` returns in a child under `filter` (without one where it is empty), or kKilled - signal.
inline long in_child(const std::string& filter, const std::function<long()>& probe) {
  int pipe_fds[2] = {-1, -1};
  REQUIRE(pipe2(pipe_fds, O_CLOEXEC) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    for (const int fatal : {SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGFPE})
      (void)signal(fatal, SIG_DFL);  // doctest's
    if (!filter.empty() && !load_filter(filter)) _exit(99);
    const long result = probe();
    _exit(call(SYS_write, pipe_fds[1], pointer(&result), sizeof result) == sizeof result ? 0 : 98);
  }
  (void)close(pipe_fds[1]);
  long result = 0;
  const ssize_t size = read(pipe_fds[0], &result, sizeof result);
  (void)close(pipe_fds[0]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  if (WIFSIGNALED(status)) return kKilled - WTERMSIG(status);
  REQUIRE(WEXITSTATUS(status) == 0);
  REQUIRE(size == sizeof result);
  return result;
}

// One of the three shipped filters, in the kernel.
struct Loaded {
  std::string name;
  std::string filter;

  [[nodiscard]] long run(const std::function<long()>& probe) const { return in_child(filter, probe); }
  [[nodiscard]] long run(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) const {
    return run([=] { return call(number, a, b, c, d, e); });
  }
  [[nodiscard]] bool is(std::string_view other) const { return name == other; }
};

inline const std::vector<Loaded>& loaded() {
  static const std::vector<Loaded> list = [] {
    std::vector<Loaded> filters;
    for (const char* name : kShippedNames) filters.push_back({name, compiled_filter(name)});
    return filters;
  }();
  return list;
}

#define FOR_EACH_FILTER                  \
  for (const Loaded& loaded_ : loaded()) \
    for (bool once = true; once;)        \
      for (INFO("profile " << loaded_.name); once; once = false)

}  // namespace sbx::testing
