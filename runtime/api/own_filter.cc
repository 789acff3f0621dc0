#include "api/own_filter.h"

#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <array>
#include <cerrno>
#include <memory>

namespace sbx::api {
namespace {

constexpr std::array kAllowed{
    // the loop
    "epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_ctl", "epoll_create1", "timerfd_create",
    "timerfd_settime", "timerfd_gettime", "eventfd2", "poll", "ppoll",
    // connections, and the sockets to sbxd and keepers; those that listen are open already
    "accept", "accept4", "recvmsg", "recvfrom", "sendmsg", "sendto", "sendmmsg", "socketpair", "shutdown",
    "getsockopt", "setsockopt", "getsockname", "getpeername", "pipe2",
    // descriptors, and files below our root: output, history with its locks
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "lseek", "close", "dup",
    "dup2", "dup3", "fcntl", "flock", "openat", "fstat", "newfstatat", "statx", "stat", "lstat", "statfs",
    "fstatfs", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getcwd", "getdents64", "mkdir",
    "mkdirat", "unlink", "unlinkat", "rename", "renameat", "renameat2", "fchmod", "fsync", "fdatasync",
    "ftruncate", "fallocate", "fadvise64", "sync_file_range", "memfd_create", "sendfile", "splice",
    // memory; mmap and mprotect below
    "brk", "munmap", "mremap", "madvise", "msync", "mincore",
    // time and chance
    "clock_gettime", "clock_getres", "gettimeofday", "time", "clock_nanosleep", "nanosleep", "getrandom",
    // itself
    "futex", "rseq", "set_robust_list", "sched_yield", "sched_getaffinity", "getpid", "gettid", "getppid",
    "getuid", "geteuid", "getgid", "getegid", "uname", "sysinfo", "getrusage", "rt_sigprocmask",
    "rt_sigaction", "rt_sigreturn", "sigaltstack", "restart_syscall", "tgkill", "exit", "exit_group"};

Result<void> allow(scmp_filter_ctx filter, const char* name, const scmp_arg_cmp* argument = nullptr) {
  const int number = seccomp_syscall_resolve_name(name);
  if (number == __NR_SCMP_ERROR) return {};  // not of this machine
  const int error =
      seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, argument == nullptr ? 0 : 1, argument);
  // Of a call that only other architectures have.
  if (error != 0 && error != -EDOM) return fail(system_error("seccomp_rule_add", name, -error));
  return {};
}

}  // namespace

Result<void> enter_own_filter() {
  const std::unique_ptr<void, void (*)(void*)> filter(seccomp_init(SCMP_ACT_KILL_PROCESS), seccomp_release);
  if (!filter) return fail("seccomp_init: not enough memory");
  for (const char* name : kAllowed) TRY(allow(filter.get(), name));
  const scmp_arg_cmp not_executable{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0};
  for (const char* name : {"mmap", "mprotect"}) TRY(allow(filter.get(), name, &not_executable));
  // The last three: of a terminal, for its client (api/terminal.cc).
  for (const unsigned request : {unsigned{FIONBIO}, unsigned{FIONREAD}, unsigned{TIOCSWINSZ},
                                 unsigned{TIOCSIG}, unsigned{TIOCGPTPEER}}) {
    const scmp_arg_cmp is_it{1, SCMP_CMP_MASKED_EQ, UINT32_MAX, request};
    TRY(allow(filter.get(), "ioctl", &is_it));
  }
  const int error = seccomp_load(filter.get());
  if (error != 0) return fail(system_error("seccomp_load", "", -error));
  return {};
}

}  // namespace sbx::api
