#include "resource/project_quota.h"

#include <linux/fs.h>
#include <linux/quota.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace sbx {
namespace {

constexpr std::uint64_t kQuotaBlock = 1024;  // QIF_DQBLKSIZE
constexpr std::uint64_t kOwnInodes = 7;      // the directory itself and ours in it (generations.h)

constexpr unsigned command(unsigned number) { return (number << 8U) | PRJQUOTA; }

Result<void> set_limits(int directory, std::uint32_t id, const ProjectLimits& limits) {
  if_dqblk quota{};
  quota.dqb_valid = QIF_LIMITS;
  quota.dqb_bhardlimit = limits.bytes.value_or(0) / kQuotaBlock;
  quota.dqb_bsoftlimit = quota.dqb_bhardlimit;
  quota.dqb_ihardlimit = limits.inodes ? *limits.inodes + kOwnInodes : 0;
  quota.dqb_isoftlimit = quota.dqb_ihardlimit;
  if (syscall(SYS_quotactl_fd, directory, command(Q_SETQUOTA), id, &quota) != 0) {
    return fail(system_error("quotactl_fd Q_SETQUOTA", "the project's directory", errno));
  }
  return {};
}

// A directory under a limit that is kept looks like a file system of that size (ext4, xfs).
bool is_kept(int directory, const ProjectLimits& limits) {
  struct statvfs status {};
  return fstatvfs(directory, &status) == 0 && limits.bytes &&
         status.f_blocks * status.f_frsize / kQuotaBlock <= *limits.bytes / kQuotaBlock;
}

}  // namespace

bool counts_by_project(int directory) {
  if_dqblk quota{};
  return syscall(SYS_quotactl_fd, directory, command(Q_GETQUOTA), 0, &quota) == 0;
}

Result<bool> set_project_quota(int directory, std::uint32_t id, const ProjectLimits& limits) {
  fsxattr attributes{};
  if (ioctl(directory, FS_IOC_FSGETXATTR, &attributes) != 0) return false;
  attributes.fsx_projid = id;
  attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
  if (ioctl(directory, FS_IOC_FSSETXATTR, &attributes) != 0) return false;
  if (!set_limits(directory, id, limits)) return false;
  return is_kept(directory, limits);
}

Result<void> change_project_quota(int directory, std::uint32_t id, const ProjectLimits& limits) {
  struct statvfs status {};
  if (fstatvfs(directory, &status) != 0)
    return fail(system_error("fstatvfs", "the project's directory", errno));
  const std::uint64_t used = (status.f_blocks - status.f_bfree) * status.f_frsize;
  if (limits.bytes && used > *limits.bytes)
    return fail("it holds " + std::to_string(used) + " bytes already");
  if (limits.inodes && status.f_files - status.f_ffree > *limits.inodes) {
    return fail("it holds " + std::to_string(status.f_files - status.f_ffree) +
                " files and directories already");
  }
  return set_limits(directory, id, limits);
}

}  // namespace sbx
