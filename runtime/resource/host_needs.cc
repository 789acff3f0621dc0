// The words for what a launch can lack, by the step at which it shows.
#include <cerrno>

#include "resource/host_check_list.h"

namespace sbx {
namespace {

// In the order of HostNeed.
constexpr std::array<HostNeedWords, 10> kWords{{
    {"a sandbox cannot be started",
     "run as root; in a container add the capability (--cap-add) or use --privileged"},
    {"a sandbox cannot be isolated and is not started",
     "run as root with CAP_SYS_ADMIN, in a container without a seccomp profile that refuses clone and "
     "unshare "
     "(--security-opt seccomp=unconfined)"},
    {"no namespace can be made: the host's limit is 0 or used up",
     "raise it: sysctl -w user.max_user_namespaces=65536 (the same for mnt, pid, net, ipc, uts and cgroup)"},
    {"files of an image or a workspace cannot be shown with the sandbox's ids, and a run is refused",
     "a kernel of 5.12 or later, and ext4, xfs or btrfs below the state directory and /usr"},
    {"ephemeral workspaces, copy-on-write binds, binds outside the workspace and writable roots are refused",
     "modprobe overlay (and a line 'overlay' in /etc/modules-load.d/sbx.conf)"},
    {"the sandbox's /proc cannot be made, and a run is refused",
     "in a container: no AppArmor or SELinux profile that refuses mounts (--security-opt "
     "apparmor=unconfined)"},
    {"the sandbox's /dev/pts or /dev/mqueue cannot be made, and a run is refused",
     "a kernel with CONFIG_UNIX98_PTYS and CONFIG_POSIX_MQUEUE; in a container no profile that refuses "
     "mounts"},
    {"the sandbox's /dev cannot be made, and a run is refused",
     "CAP_MKNOD, and a device cgroup that lets char 1:3, 1:5, 1:7, 1:8, 1:9 and 5:0 be made and opened "
     "(--device-cgroup-rule 'c 1:* rwm')"},
    {"system calls cannot be filtered, and a run is refused", "a kernel with CONFIG_SECCOMP_FILTER"},
    {"the kernel lacks calls that a launch makes", "run Linux 6.1 or later"},
}};

HostNeed need_of_error(int error_number) {
  switch (error_number) {
  case ENOSPC:
  case EUSERS: return HostNeed::namespace_limit;
  case EPERM:
  case EACCES: return HostNeed::namespaces;
  case ENOSYS:
  case EINVAL:
  case E2BIG: return HostNeed::kernel;
  default: return HostNeed::none;
  }
}

HostNeed need_of_step(LaunchStep step, int error_number) {
  switch (step) {
  case LaunchStep::user_namespace:
  case LaunchStep::clone:
  case LaunchStep::cgroup_namespace: return need_of_error(error_number);
  case LaunchStep::id_map_mounts:
    return error_number == EINVAL ? HostNeed::id_mapped_mounts : need_of_error(error_number);
  case LaunchStep::loopback:
  case LaunchStep::private_mounts:
  case LaunchStep::pivot_root:
  case LaunchStep::hostname: return error_number == EPERM ? HostNeed::capabilities : HostNeed::none;
  case LaunchStep::mount:
    if (error_number == ENODEV) return HostNeed::overlay;
    return error_number == EPERM || error_number == EACCES ? HostNeed::procfs : HostNeed::none;
  case LaunchStep::seccomp: return HostNeed::seccomp;
  default: return HostNeed::none;
  }
}

}  // namespace

const HostNeedWords& words_of(HostNeed need) { return kWords[static_cast<std::size_t>(need)]; }

std::string host_need_behind(LaunchStep step, int error_number) {
  const HostNeed need = need_of_step(step, error_number);
  if (need == HostNeed::none) return {};
  const HostNeedWords& words = words_of(need);
  return std::string(words.effect) + "; fix: " + std::string(words.fix);
}

std::string id_map_refusal(std::string_view path, std::string_view file_system) {
  return "'" + std::string(path) + "' is on " + std::string(file_system) +
         ", which cannot be id-mapped; move it to ext4, xfs, btrfs or tmpfs, or name idmapped_mounts in the "
         "policy's "
         "allow_degraded";
}

}  // namespace sbx
