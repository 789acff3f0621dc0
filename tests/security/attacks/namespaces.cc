// Namespaces of one's own: every call that makes one.
#include <linux/sched.h>
#include <sched.h>

#include <csignal>
#include <cstdint>

#include "attempts.h"

namespace sbx::attack {
namespace {

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

constexpr unsigned long kUser = CLONE_NEWUSER;
constexpr unsigned long kAll =
    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

constexpr const char* kFlags = "filter: the flags of clone; no capability";
constexpr const char* kUserFlags = "filter: the flags of clone; user.max_user_namespaces is 0";
constexpr const char* kHidden = "filter: clone3, whose flags it cannot see, is not there; no capability";
constexpr const char* kUserHidden =
    "filter: clone3, whose flags it cannot see, is not there; user.max_user_namespaces is 0";
constexpr const char* kUnshare = "filter: unshare; no capability";
constexpr const char* kUserUnshare = "filter: unshare; user.max_user_namespaces is 0";

// A user namespace needs no capability, only that there may be another one: ENOSPC.
constexpr Attack user_namespace(std::string_view name, std::string_view aim, std::string_view control,
                                long (*attempt)(), std::string_view inside = "EPERM") {
  return {.name = name,
          .aim = aim,
          .control = control,
          .inside = inside,
          .unfiltered = "ENOSPC",
          .attempt = attempt};
}

constexpr Attack by_clone3(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {.name = name,
          .aim = aim,
          .control = kHidden,
          .inside = "ENOSYS",
          .unfiltered = "EPERM",
          .attempt = attempt};
}

constexpr Attack kAttacks[] = {
    user_namespace("namespaces.clone_user", "make a user namespace, and be root in it", kUserFlags,
                   clone_with<kUser>),
    user_namespace("namespaces.clone_user_and_all", "make a user namespace and all others in it", kUserFlags,
                   clone_with<kAll>),
    refused("namespaces.clone_mount", "make a mount namespace", kFlags, clone_with<CLONE_NEWNS>),
    refused("namespaces.clone_pid", "make a pid namespace", kFlags, clone_with<CLONE_NEWPID>),
    refused("namespaces.clone_net", "make a network namespace", kFlags, clone_with<CLONE_NEWNET>),
    refused("namespaces.clone_ipc", "make an IPC namespace", kFlags, clone_with<CLONE_NEWIPC>),
    refused("namespaces.clone_uts", "make a namespace of host names", kFlags, clone_with<CLONE_NEWUTS>),
    refused("namespaces.clone_cgroup", "make a cgroup namespace", kFlags, clone_with<CLONE_NEWCGROUP>),

    // Of clone's flags the kernel reads 32 bits.
    user_namespace("namespaces.clone_user_high", "make a user namespace with a bit set that nobody reads",
                   kUserFlags, clone_with<kUser | kHighBit>),
    user_namespace("namespaces.clone_user_all_high",
                   "make a user namespace with all bits set that nobody reads", kUserFlags,
                   clone_with<kUser | 0xffffffff00000000>),
    refused("namespaces.clone_mount_high", "make a mount namespace with a bit set that nobody reads", kFlags,
            clone_with<CLONE_NEWNS | kHighBit>),
    refused("namespaces.clone_pid_high", "make a pid namespace with a bit set that nobody reads", kFlags,
            clone_with<CLONE_NEWPID | kHighBit>),
    refused("namespaces.clone_net_high", "make a network namespace with a bit set that nobody reads", kFlags,
            clone_with<CLONE_NEWNET | kHighBit>),
    refused("namespaces.clone_ipc_high", "make an IPC namespace with a bit set that nobody reads", kFlags,
            clone_with<CLONE_NEWIPC | kHighBit>),
    refused("namespaces.clone_uts_high", "make a namespace of host names with a bit set that nobody reads",
            kFlags, clone_with<CLONE_NEWUTS | kHighBit>),
    refused("namespaces.clone_cgroup_high", "make a cgroup namespace with a bit set that nobody reads",
            kFlags, clone_with<CLONE_NEWCGROUP | kHighBit>),

    user_namespace("namespaces.clone3_user", "make a user namespace with flags behind a pointer", kUserHidden,
                   clone3_with<kUser>, "ENOSYS"),
    user_namespace("namespaces.clone3_user_and_all", "make all namespaces with flags behind a pointer",
                   kUserHidden, clone3_with<kAll>, "ENOSYS"),
    by_clone3("namespaces.clone3_mount", "make a mount namespace with flags behind a pointer",
              clone3_with<CLONE_NEWNS>),
    by_clone3("namespaces.clone3_pid", "make a pid namespace with flags behind a pointer",
              clone3_with<CLONE_NEWPID>),
    by_clone3("namespaces.clone3_net", "make a network namespace with flags behind a pointer",
              clone3_with<CLONE_NEWNET>),
    by_clone3("namespaces.clone3_ipc", "make an IPC namespace with flags behind a pointer",
              clone3_with<CLONE_NEWIPC>),
    by_clone3("namespaces.clone3_uts", "make a namespace of host names with flags behind a pointer",
              clone3_with<CLONE_NEWUTS>),
    by_clone3("namespaces.clone3_cgroup", "make a cgroup namespace with flags behind a pointer",
              clone3_with<CLONE_NEWCGROUP>),
    by_clone3("namespaces.clone3_time", "make a namespace of clocks with flags behind a pointer",
              clone3_with<CLONE_NEWTIME>),

    user_namespace("namespaces.unshare_user", "make a user namespace by unshare", kUserUnshare,
                   unshare_with<kUser>),
    user_namespace("namespaces.unshare_user_and_all", "make all namespaces by unshare", kUserUnshare,
                   unshare_with<kAll>),
    refused("namespaces.unshare_mount", "make a mount namespace by unshare", kUnshare,
            unshare_with<CLONE_NEWNS>),
    refused("namespaces.unshare_pid", "make a pid namespace by unshare", kUnshare,
            unshare_with<CLONE_NEWPID>),
    refused("namespaces.unshare_net", "make a network namespace by unshare", kUnshare,
            unshare_with<CLONE_NEWNET>),
    refused("namespaces.unshare_ipc", "make an IPC namespace by unshare", kUnshare,
            unshare_with<CLONE_NEWIPC>),
    refused("namespaces.unshare_uts", "make a namespace of host names by unshare", kUnshare,
            unshare_with<CLONE_NEWUTS>),
    refused("namespaces.unshare_cgroup", "make a cgroup namespace by unshare", kUnshare,
            unshare_with<CLONE_NEWCGROUP>),
    refused("namespaces.unshare_time", "make a namespace of clocks by unshare", kUnshare,
            unshare_with<CLONE_NEWTIME>),
    // Unlike clone's, the kernel reads all 64 bits of unshare's flags.
    {.name = "namespaces.unshare_user_high",
     .aim = "make a user namespace by unshare with a high bit set",
     .control = "filter: unshare; the kernel refuses such a bit",
     .inside = "EPERM",
     .unfiltered = "EINVAL",
     .outside = "EINVAL",
     .attempt = unshare_with<kUser | kHighBit>},
};

}  // namespace

std::span<const Attack> namespace_attacks() { return kAttacks; }

}  // namespace sbx::attack
