// Namespaces of one's own, or of others: every way to make or enter one.
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>

#include "attack.h"

namespace sbx::attack {
namespace {

constexpr unsigned long kHighBit = 1UL << 32U;  // above what the kernel reads of the flags

long ends(long pid) {
  if (pid == 0) _exit(0);
  return pid;
}

template <unsigned long flags>
long clone_with() {
  return ends(syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0));
}

template <unsigned long flags>
long clone3_with() {
  clone_args arguments{};
  arguments.flags = flags;
  arguments.exit_signal = SIGCHLD;
  return ends(syscall(SYS_clone3, &arguments, sizeof arguments));
}

template <unsigned long flags>
long unshare_with() {
  return syscall(SYS_unshare, flags);
}

long join(const char* path) {
  const int fd = open(path, O_RDONLY);
  return fd < 0 ? fd : syscall(SYS_setns, fd, 0);
}

constexpr const char* kFlags = "filter: the flags of clone; no capability";
constexpr const char* kNested = "filter: the flags of clone; user.max_user_namespaces is 0";
constexpr const char* kHidden = "filter: clone3, whose flags it cannot see, does not exist";
constexpr const char* kUnshare = "filter: unshare; no capability";
constexpr const char* kEnter = "filter: setns; no capability";

constexpr Attack kAttacks[] = {
    {.name = "namespaces.clone_user",
     .aim = "make a user namespace, and be root in it",
     .control = kNested,
     .inside = "EPERM",
     .unfiltered = "ENOSPC",
     .attempt = clone_with<CLONE_NEWUSER>},
    {.name = "namespaces.clone_user_high",
     .aim = "the same with a bit set that the kernel does not read",
     .control = kNested,
     .inside = "EPERM",
     .unfiltered = "ENOSPC",
     .attempt = clone_with<CLONE_NEWUSER | kHighBit>},
    {.name = "namespaces.clone_user_and_all",
     .aim = "make one and all others in it",
     .control = kNested,
     .inside = "EPERM",
     .unfiltered = "ENOSPC",
     .attempt = clone_with<CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC>},
    {.name = "namespaces.clone_mount",
     .aim = "make a mount namespace",
     .control = kFlags,
     .inside = "EPERM",
     .attempt = clone_with<CLONE_NEWNS>},
    {.name = "namespaces.clone_net",
     .aim = "make a network namespace",
     .control = kFlags,
     .inside = "EPERM",
     .attempt = clone_with<CLONE_NEWNET>},
    {.name = "namespaces.clone3_user",
     .aim = "make a user namespace with flags behind a pointer",
     .control = kHidden,
     .inside = "ENOSYS",
     .unfiltered = "ENOSPC",
     .attempt = clone3_with<CLONE_NEWUSER>},
    {.name = "namespaces.unshare_user",
     .aim = "make a user namespace by unshare",
     .control = kUnshare,
     .inside = "EPERM",
     .unfiltered = "ENOSPC",
     .attempt = unshare_with<CLONE_NEWUSER>},
    {.name = "namespaces.setns_mount",
     .aim = "enter a mount namespace anew",
     .control = kEnter,
     .inside = "EPERM",
     .attempt = [] { return join("/proc/self/ns/mnt"); }},
};

}  // namespace

std::span<const Attack> namespace_attacks() { return kAttacks; }

}  // namespace sbx::attack
