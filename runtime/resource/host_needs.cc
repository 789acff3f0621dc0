#include "resource/host_needs.h"

#include <algorithm>
#include <array>
#include <cerrno>

namespace sbx {
namespace {

// In the order of HostNeed.
constexpr std::array<HostNeedWords, 16> kWords{{
    {"a sandbox cannot be started",
     "run as root; in a container add the capability (--cap-add) or use --privileged"},
    {"a sandbox cannot be isolated and is not started",
     "run as root with CAP_SYS_ADMIN, in a container without a seccomp profile that refuses clone and "
     "unshare "
     "(--security-opt seccomp=unconfined)"},
    {"no namespace can be made: the host's limit is 0 or used up",
     "raise it: sysctl -w user.max_user_namespaces=65536 (the same for mnt, pid, net, ipc, uts and cgroup)"},
    {"files of an image or a workspace cannot be shown with the sandbox's ids, and a run is refused",
     "a kernel of 5.19 or later, and ext4, xfs or btrfs below the state directory and /usr"},
    {"the sandbox's root cannot be put together, and a run is refused",
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
    {"a sandbox's processes could have the ids, files and limits of others, and a run is refused",
     "set id_pool: {first, ranges} in /etc/sbx/config.yaml to ids that nobody uses"},
    {"a sandbox cannot be started", "install sbx again, all of it from one build"},
    {"the image 'host' cannot be used",
     "apt-get install usrmerge, or take an image: sbxctl images build NAME"},
    {"no control group can be made for a sandbox, and a run is refused",
     "remount it writable (mount -o remount,rw); in a container: --privileged, or --cgroupns=host with -v "
     "/sys/fs/cgroup:/sys/fs/cgroup:rw"},
    {"a sandbox cannot be put together, and a run is refused",
     "raise the caller's hard limit of open files: ulimit -Hn 4096 (LimitNOFILE= of a unit)"},
    {"the size of a project cannot be limited, and its run is refused",
     "loop devices and ext4 (modprobe loop, /dev/loop-control; apt-get install e2fsprogs), or the state "
     "directory on "
     "ext4 or xfs mounted with prjquota"},
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

bool is_refusal(int error_number) { return error_number == EPERM || error_number == EACCES; }

HostNeed need_of_mount(MountAction action, int error_number) {
  switch (action) {
  case MountAction::overlay:
  case MountAction::user_overlay:
    return error_number == ENODEV || error_number == EINVAL || is_refusal(error_number) ? HostNeed::overlay
                                                                                        : HostNeed::none;
  case MountAction::proc: return is_refusal(error_number) ? HostNeed::procfs : HostNeed::none;
  case MountAction::devpts:
  case MountAction::mqueue:
    return error_number == ENODEV || is_refusal(error_number) ? HostNeed::small_file_systems : HostNeed::none;
  default: return HostNeed::none;
  }
}

HostNeed need_of_step(LaunchStep step, std::optional<MountAction> action, int error_number) {
  switch (step) {
  case LaunchStep::network_namespace:
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
    if (error_number == ENOSYS) return HostNeed::kernel;
    return action ? need_of_mount(*action, error_number) : HostNeed::none;
  case LaunchStep::seccomp: return HostNeed::seccomp;
  default: return HostNeed::none;
  }
}

std::string words_behind(HostNeed need) {
  if (need == HostNeed::none) return {};
  const HostNeedWords& words = words_of(need);
  return "; " + std::string(words.effect) + "; fix: " + std::string(words.fix);
}

// A refused call means something else to a process that has all the capabilities.
std::string words_for_lacking(const std::string& lacking, int error_number) {
  if (lacking.empty() || !is_refusal(error_number)) return {};
  return "; this process is without " + lacking + words_behind(HostNeed::capabilities);
}

}  // namespace

const HostNeedWords& words_of(HostNeed need) { return kWords[static_cast<std::size_t>(need)]; }

Error with_need(Error error, HostNeed need) {
  error.text += words_behind(need);
  return error;
}

Error with_host_need(Error error, const std::string& lacking) {
  if (error.text.find("; fix: ") != std::string::npos) return error;  // told where it was known better
  error.text += words_for_lacking(lacking, error.error_number);
  if (error.error_number == EMFILE) return with_need(std::move(error), HostNeed::descriptors);
  return error.error_number == ENOSYS ? with_need(std::move(error), HostNeed::kernel) : error;
}

std::string host_need_behind(LaunchStep step, std::optional<MountAction> action, int error_number,
                             const std::string& lacking) {
  if (step >= LaunchStep::init_start)
    return {};  // what the command itself is refused is not the host's doing
  const std::string words = words_for_lacking(lacking, error_number);
  return words.empty() ? words_behind(need_of_step(step, action, error_number)) : words;
}

bool refuses_id_map(std::string_view file_system) {
  static constexpr std::array<std::string_view, 6> kRefusing{"overlay", "nfs", "fuse", "9p", "zfs", "cifs"};
  return std::ranges::find(kRefusing, file_system) != kRefusing.end();
}

std::string id_map_refusal(std::string_view path, std::string_view file_system) {
  return "'" + std::string(path) + "' is on " + std::string(file_system) +
         ", which cannot be id-mapped; move it to ext4, xfs, btrfs or tmpfs, or name idmapped_mounts in the "
         "policy's "
         "allow_degraded";
}

}  // namespace sbx
