// Namespaces of others: every way to enter or find one, and to make one in the numbering of other ABIs.
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <csignal>

#include "attempts.h"

namespace sbx::attack {
namespace {

constexpr const char* kEnter = "filter: setns; no capability";
constexpr const char* kInit = "filter: setns; init cannot be traced";

long join_own(const char* kind) {
  const int fd = open((std::string("/proc/self/ns/") + kind).c_str(), O_RDONLY);
  return fd < 0 ? fd : syscall(SYS_setns, fd, 0);
}

// Of a process that has its own of each kind; inside it is init.
template <unsigned long kinds>
long join_by_pidfd() {
  return syscall(SYS_setns, open_pidfd(static_cast<pid_t>(target_number("apart"))), kinds);
}

long join_by_proc() {
  const std::string path = "/proc/" + target("apart") + "/ns/net";
  const int fd = open(path.c_str(), O_RDONLY);
  return fd < 0 ? fd : syscall(SYS_setns, fd, CLONE_NEWNET);
}

// The user namespace that owns our mount namespace: the host's.
long find_owner() { return ioctl(open("/proc/self/ns/mnt", O_RDONLY), NS_GET_USERNS); }

// linux/nsfs.h of newer kernels: NS_MNT_GET_NEXT and NS_MNT_GET_PREV
struct MountNamespaceInfo {
  std::uint32_t size = sizeof(MountNamespaceInfo);
  std::uint32_t mounts = 0;
  std::uint64_t id = 0;
};

template <unsigned number>
long walk_mount_namespaces() {
  MountNamespaceInfo info;
  return ioctl(open("/proc/self/ns/mnt", O_RDONLY), _IOR(NSIO, number, MountNamespaceInfo), &info);
}

long either_neighbour() {
  const long next = walk_mount_namespaces<11>();
  return next >= 0 ? next : walk_mount_namespaces<12>();
}

// linux/pidfd.h of newer kernels: PIDFD_GET_NET_NAMESPACE and others
template <unsigned number>
long namespace_of_pidfd() {
  return ioctl(static_cast<int>(open_pidfd(static_cast<pid_t>(target_number("apart")))), _IO(0xff, number),
               0);
}

constexpr Attack by_pidfd_ioctl(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {.name = name,
          .aim = aim,
          .control = "init cannot be traced",
          .inside = "EACCES|EPERM|ENOTTY",
          .outside = "ok|ENOTTY",  // Linux 6.11
          .attempt = attempt};
}

constexpr Attack kAttacks[] = {
    refused("namespaces.setns_mount", "enter the mount namespace anew, whose root is then /", kEnter,
            [] { return join_own("mnt"); }),
    refused("namespaces.setns_pid", "enter a pid namespace", kEnter, [] { return join_own("pid"); }),
    refused("namespaces.setns_net", "enter a network namespace", kEnter, [] { return join_own("net"); }),
    refused("namespaces.setns_ipc", "enter an IPC namespace", kEnter, [] { return join_own("ipc"); }),
    refused("namespaces.setns_uts", "enter a namespace of host names", kEnter,
            [] { return join_own("uts"); }),
    refused("namespaces.setns_cgroup", "enter a cgroup namespace", kEnter, [] { return join_own("cgroup"); }),
    refused("namespaces.setns_time", "enter a namespace of clocks", kEnter, [] { return join_own("time"); }),
    // Nobody may enter the one he is in.
    {.name = "namespaces.setns_user",
     .aim = "enter the user namespace anew, with all capabilities in it",
     .control = "filter: setns; the kernel",
     .inside = "EPERM",
     .unfiltered = "EINVAL",
     .outside = "EINVAL",
     .attempt = [] { return join_own("user"); }},
    refused("namespaces.setns_high", "enter a namespace with a bit set that nobody reads", kEnter,
            [] { return syscall(SYS_setns, open("/proc/self/ns/net", O_RDONLY), CLONE_NEWNET | kHighBit); }),
    refused("namespaces.pidfd_user", "enter the user namespace of another process by its pidfd", kInit,
            join_by_pidfd<CLONE_NEWUSER>),
    refused("namespaces.pidfd_mount", "enter the mount namespace of another process by its pidfd", kInit,
            join_by_pidfd<CLONE_NEWNS>),
    refused("namespaces.pidfd_net", "enter the network namespace of another process by its pidfd", kInit,
            join_by_pidfd<CLONE_NEWNET>),
    refused("namespaces.pidfd_several", "enter several namespaces of another process at once", kInit,
            join_by_pidfd<CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP>),
    {.name = "namespaces.other_proc",
     .aim = "enter a namespace of another process by its files in /proc",
     .control = "/proc hides processes of other users; filter: setns",
     .inside = "ENOENT",
     .attempt = join_by_proc},
    refused("namespaces.owner", "reach the user namespace that owns the mount namespace",
            "it is the host's, and so none of those below one's own", find_owner),
    {.name = "namespaces.walk",
     .aim = "walk through the machine's mount namespaces",
     .control = "no capability in any of them",
     .inside = "ENOENT|EPERM|ENOTTY",
     .outside = "ok|ENOTTY",  // Linux 6.12
     .attempt = either_neighbour},
    by_pidfd_ioctl("namespaces.pidfd_ioctl_mount", "have init's mount namespace by its pidfd",
                   namespace_of_pidfd<3>),
    by_pidfd_ioctl("namespaces.pidfd_ioctl_net", "have init's network namespace by its pidfd",
                   namespace_of_pidfd<4>),
    by_pidfd_ioctl("namespaces.pidfd_ioctl_user", "have init's user namespace by its pidfd",
                   namespace_of_pidfd<9>),

    killed("namespaces.i386_clone", "make a user namespace by the clone of i386",
           [] { return ends(i386_call(120, CLONE_NEWUSER | SIGCHLD)); }),
    killed("namespaces.i386_unshare", "make a user namespace by the unshare of i386",
           [] { return i386_call(310, CLONE_NEWUSER); }),
    killed("namespaces.i386_clone3", "make a user namespace by the clone3 of i386",
           [] {
             static clone_args arguments{};  // where 32 bits reach
             arguments.flags = CLONE_NEWUSER;
             arguments.exit_signal = SIGCHLD;
             return ends(i386_call(435, reinterpret_cast<long>(&arguments), sizeof arguments));
           }),
    killed("namespaces.i386_setns", "enter a namespace by the setns of i386",
           [] { return i386_call(346, open("/proc/self/ns/net", O_RDONLY), CLONE_NEWNET); }),
    // Few kernels have the numbers of x32.
    killed(
        "namespaces.x32_clone", "make a user namespace by the clone of x32",
        [] { return ends(syscall(kX32 + SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)); }, "ok|ENOSYS"),
    killed(
        "namespaces.x32_unshare", "make a user namespace by the unshare of x32",
        [] { return syscall(kX32 + SYS_unshare, CLONE_NEWUSER); }, "ok|ENOSYS"),
    killed(
        "namespaces.x32_setns", "enter a namespace by the setns of x32",
        [] { return syscall(kX32 + SYS_setns, open("/proc/self/ns/net", O_RDONLY), CLONE_NEWNET); },
        "ok|ENOSYS"),
};

}  // namespace

std::span<const Attack> namespace_entry_attacks() { return kAttacks; }

}  // namespace sbx::attack
