// What a tracer may do to its child beyond what both may do; honest debugging is in
// isolation_syscalls_test.cc, attacks on init have a family of their own.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <csignal>

#include "attempts.h"

namespace sbx::attack {
namespace {

// A stopped child that is traced; it has at least one filter. Negative where there may be none.
pid_t traced_child() {
  const pid_t child = start_child();
  if (child == 0) {
    sock_filter all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    const sock_fprog program{1, &all};
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(errno);
    (void)raise(SIGSTOP);
    _exit(0);
  }
  int status = 0;
  (void)waitpid(child, &status, __WALL);
  errno = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  return WIFSTOPPED(status) ? child : -1;
}

long suspend_filters() {
  const pid_t child = traced_child();
  return child < 0 ? child : ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_SUSPEND_SECCOMP);
}

long seize_without_filters() {
  const pid_t child = start_child();
  if (child == 0) {
    while (true) (void)pause();
  }
  return ptrace(PTRACE_SEIZE, child, nullptr, PTRACE_O_SUSPEND_SECCOMP);
}

long read_filter() {
  const pid_t child = traced_child();
  static sock_filter program[4096];
  return child < 0 ? child : ptrace(PTRACE_SECCOMP_GET_FILTER, child, 0, program);
}

long read_filter_flags() {
  const pid_t child = traced_child();
  __u64 metadata[2] = {};
  return child < 0 ? child : ptrace(PTRACE_SECCOMP_GET_METADATA, child, sizeof metadata, metadata);
}

constexpr Attack kAttacks[] = {
    refused("debugging.suspend_filters", "turn its child's filters off",
            "no capability; `strict`: filter: ptrace", suspend_filters),
    refused("debugging.seize_without_filters", "turn its child's filters off from the start",
            "no capability; `strict`: filter: ptrace", seize_without_filters),
    {.name = "debugging.read_filter",
     .aim = "read the filter that it is under",
     .control = "no capability; `strict`: filter: ptrace",
     .inside = "EACCES",
     .strict = "EPERM",
     .attempt = read_filter},
    {.name = "debugging.read_filter_flags",
     .aim = "read the flags of the filter that it is under",
     .control = "no capability; `strict`: filter: ptrace",
     .inside = "EACCES",
     .strict = "EPERM",
     .attempt = read_filter_flags},
};

}  // namespace

std::span<const Attack> debugging_attacks() { return kAttacks; }

}  // namespace sbx::attack
