#include "launch/child.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <time.h>

#include "os/raw.h"
#include "wire/init_protocol.h"

namespace sbx {
namespace {

using raw::call;
using raw::pointer;

constexpr long kNoChild = -10;  // ECHILD
constexpr long kInvalid = -22;  // EINVAL
constexpr unsigned long kSigKill = 9;

std::int64_t now_us() noexcept {
  timespec now{};
  (void)call(SYS_clock_gettime, CLOCK_MONOTONIC, pointer(&now));
  return now.tv_sec * 1'000'000 + now.tv_nsec / 1000;
}

long prctl(int option, unsigned long a = 0, unsigned long b = 0) noexcept {
  return call(SYS_prctl, option, static_cast<long>(a), static_cast<long>(b), 0, 0);
}

// v1: a single-threaded process writes 0 to `tasks`, which takes no global lock and waits for no grace
// period, unlike a pid written to cgroup.procs (10 ms).
long join_cgroups(const ChildPlan& plan) noexcept {
  for (std::uint32_t i = 0; i < plan.task_count; ++i) {
    const long written = call(SYS_write, plan.task_fds[i], pointer("0"), 1);
    if (written < 0) return written;
  }
  return 0;
}

// pivot_root(".", "."): the old root ends up stacked on the new one (pivot_root(2), NOTES).
long enter_new_root(int root_fd) noexcept {
  const long moved = call(SYS_fchdir, root_fd);
  return moved < 0 ? moved : call(SYS_pivot_root, pointer("."), pointer("."));
}

long detach_old_root() noexcept {
  const long detached = call(SYS_umount2, pointer("."), MNT_DETACH);
  return detached < 0 ? detached : call(SYS_chdir, pointer("/"));
}

long set_limits(const ChildPlan& plan, std::uint32_t& index) noexcept {
  for (index = 0; index < plan.limit_count; ++index) {
    const ResourceLimit& limit = plan.limits[index];
    const std::uint64_t values[2] = {limit.soft, limit.hard};  // struct rlimit64
    const long result = call(SYS_prlimit64, 0, limit.resource, pointer(values), 0);
    if (result < 0) return result;
  }
  return 0;
}

// The NIS domain name is the host's until it is set.
long set_names(const ChildPlan& plan) noexcept {
  static constexpr char kNoDomain[] = "(none)";
  const long result = call(SYS_sethostname, pointer(plan.hostname), static_cast<long>(plan.hostname_size));
  return result < 0 ? result : call(SYS_setdomainname, pointer(kNoDomain), sizeof kNoDomain - 1);
}

// Standard streams of init itself: the sandbox's own /dev/null.
long open_null() noexcept {
  const long fd = call(SYS_openat, AT_FDCWD, pointer("/dev/null"), O_RDWR);
  if (fd < 0) return fd;
  for (int stream = 0; stream < 3; ++stream) {
    const long result = fd == stream ? 0 : call(SYS_dup3, fd, stream, 0);
    if (result < 0) return result;
  }
  return 0;
}

// No user namespace can be made inside, whatever the filter says: that is where rights to attack the kernel
// with come from. The file is that of the namespace of the one who looks it up (namespaces(7)). It is opened
// as 0, for a moment: the limit of open files is in force, and lower numbers than the spawner's may be all it
// has.
long forbid_user_namespaces(long sysctls) noexcept {
  if (sysctls < 0) return sysctls;  // that is why they could not be opened
  (void)call(SYS_close, 0);
  const long fd = call(SYS_openat, sysctls, pointer("user/max_user_namespaces"), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return fd;
  const long written = call(SYS_write, fd, pointer("0"), 1);
  const long restored = call(SYS_dup3, 1, 0, 0);
  return restored < 0 ? restored : written;
}

long drop_bounding_set() noexcept {
  for (unsigned long capability = 0; capability < 64; ++capability) {
    const long result = prctl(PR_CAPBSET_DROP, capability);
    if (result == kInvalid && capability > 0) return 0;  // past the kernel's last capability
    if (result < 0) return result;
  }
  return 0;
}

// No capability comes back by being root inside or by changing ids; all of it locked (capabilities(7)).
constexpr unsigned long kSecureBits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                                      SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED;

long set_ids(const ChildPlan& plan) noexcept {
  long result = prctl(PR_SET_SECUREBITS, kSecureBits);
  if (result >= 0) result = call(SYS_setresgid, plan.init_gid, plan.init_gid, plan.init_gid);
  if (result >= 0) result = call(SYS_setresuid, plan.init_uid, plan.init_uid, plan.init_uid);
  return result;
}

constexpr std::uint32_t bit(unsigned capability) noexcept { return 1U << capability; }

long set_capability_sets(std::uint32_t permitted, std::uint32_t inheritable) noexcept {
  const __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct data[2] = {{permitted, permitted, inheritable}, {0, 0, 0}};
  return call(SYS_capset, pointer(&header), pointer(data));
}

// What init needs, in the sandbox's own user namespace only: to give the command its ids and to signal it.
// As ambient capabilities they survive the exec of init; the command gives them up before its own exec.
constexpr unsigned kKept[] = {CAP_SETUID, CAP_SETGID, CAP_KILL};
constexpr std::uint32_t kKeptBits = bit(CAP_SETUID) | bit(CAP_SETGID) | bit(CAP_KILL);

long raise_ambient_capabilities() noexcept {
  long result = set_capability_sets(kKeptBits | bit(CAP_SETPCAP), kKeptBits);
  for (const unsigned capability : kKept) {
    if (result >= 0) result = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability);
  }
  return result;
}

long set_capabilities() noexcept {
  const long result = prctl(PR_SET_SECUREBITS,
                            kSecureBits | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED);
  return result < 0 ? result : set_capability_sets(kKeptBits, kKeptBits);
}

long die_with_spawner(const ChildPlan& plan) noexcept {
  const long result = prctl(PR_SET_PDEATHSIG, kSigKill);
  if (result < 0) return result;
  // The spawner may have died before the call above: then nobody will ever send the signal.
  pollfd spawner{plan.spawner_pidfd, POLLIN, 0};
  const timespec at_once{0, 0};
  const long ended = call(SYS_ppoll, pointer(&spawner), 1, pointer(&at_once), 0, 0);
  return ended > 0 ? kNoChild : ended;
}

long close_descriptors(const ChildPlan& plan) noexcept {
  // The spawner keeps its socket and init's program (close-on-exec) at these two numbers; see spawner.h.
  static_assert(init::kControlFd == kSpawnerSocketFd && kInitProgramFd == kSpawnerSocketFd + 1);
  const long result = call(SYS_dup3, plan.control_fd, init::kControlFd, 0);
  return result < 0 ? result : call(SYS_close_range, kInitProgramFd + 1, ~0U, 0);
}

// All that is open is below the listener's number, so that it gets that one; init inherits it.
long set_filter(const ChildPlan& plan) noexcept {
  static_assert(init::kListenerFd == kInitProgramFd + 1);
  const long flags = plan.report_denials ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
  const long result = call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, pointer(&plan.filter));
  if (result < 0 || !plan.report_denials) return result;
  return result == init::kListenerFd ? call(SYS_fcntl, result, F_SETFD, 0) : kInvalid;
}

long execute_init() noexcept {
  static const char* const arguments[] = {"sbx-init", nullptr};
  static const char* const environment[] = {nullptr};
  return call(SYS_execveat, kInitProgramFd, pointer(""), pointer(arguments), pointer(environment),
              AT_EMPTY_PATH);
}

// Runs one step and records its duration, or its failure and the end.
class Stepper {
 public:
  explicit Stepper(const ChildPlan& plan) : plan_(plan), before_(now_us()) {}

  void operator()(LaunchStep step, long result, std::uint32_t index = 0) noexcept {
    if (result < 0) {
      plan_.failure->index = index;
      plan_.failure->error_number = static_cast<std::int32_t>(-result);
      plan_.failure->step = step;
      (void)call(SYS_exit_group, 127);
      __builtin_unreachable();
    }
    const std::int64_t now = now_us();
    plan_.step_us[static_cast<unsigned>(step)] = static_cast<std::uint32_t>(now - before_);
    before_ = now;
  }

 private:
  const ChildPlan& plan_;
  std::int64_t before_;
};

}  // namespace

void run_child(void* argument) noexcept {
  const ChildPlan& plan = *static_cast<const ChildPlan*>(argument);
  Stepper done(plan);
  int root_fd = -1;
  std::uint32_t index = 0;

  done(LaunchStep::join_cgroups, join_cgroups(plan));
  // After joining: else /proc/self/cgroup inside would show the host's group names.
  done(LaunchStep::cgroup_namespace, plan.cgroup_namespace_fd < 0
                                         ? call(SYS_unshare, CLONE_NEWCGROUP)
                                         : call(SYS_setns, plan.cgroup_namespace_fd, CLONE_NEWCGROUP));
  // The host's: inside they are read-only.
  const long sysctls = call(SYS_openat, AT_FDCWD, pointer("/proc/sys"), O_PATH | O_DIRECTORY | O_CLOEXEC);
  done(LaunchStep::private_mounts,
       call(SYS_mount, 0, pointer("/"), 0, static_cast<long>(MS_REC | MS_PRIVATE), 0));
  const long mounted = make_child_mounts(plan, root_fd, index);
  done(LaunchStep::mount, mounted, index);
  done(LaunchStep::pivot_root, enter_new_root(root_fd));
  done(LaunchStep::detach_old_root, detach_old_root());
  done(LaunchStep::hostname, set_names(plan));
  done(LaunchStep::open_null, open_null());
  const long limited = set_limits(plan, index);
  done(LaunchStep::rlimits, limited, index);
  // Everything above was made with the host's rights and belongs to the initial user namespace, so that
  // even a root inside has no power over it.
  done(LaunchStep::join_user_namespace, call(SYS_setns, plan.user_namespace_fd, CLONE_NEWUSER));
  done(LaunchStep::forbid_user_namespaces, forbid_user_namespaces(sysctls));
  done(LaunchStep::drop_groups, call(SYS_setgroups, 0, 0));
  done(LaunchStep::set_ids, set_ids(plan));
  done(LaunchStep::ambient_capabilities, raise_ambient_capabilities());
  done(LaunchStep::drop_bounding_set, drop_bounding_set());
  done(LaunchStep::set_capabilities, set_capabilities());
  done(LaunchStep::death_signal, die_with_spawner(plan));
  done(LaunchStep::no_new_privs, prctl(PR_SET_NO_NEW_PRIVS, 1));
  done(LaunchStep::close_descriptors, close_descriptors(plan));
  done(LaunchStep::seccomp, set_filter(plan));
  done(LaunchStep::exec_init, execute_init());
  __builtin_unreachable();
}

}  // namespace sbx
