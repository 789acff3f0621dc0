#include "resource/storage_use.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>

#include "os/file.h"

namespace sbx {
namespace {

// ext4 refuses to write a little before it is full, by what delayed writes could need at most.
constexpr std::uint64_t kNearlyFull = 1ULL << 20U;

bool is_full(const StorageUse& use, const struct statvfs& status, std::uint64_t limit) {
  const std::uint64_t left = status.f_bavail * status.f_frsize;
  return use.on_disk ? left < std::min(kNearlyFull, limit / 16) : left == 0;
}

}  // namespace

Result<std::string> read_from_tmp(const std::vector<StorageUse>& uses, const std::string& path,
                                  std::size_t most) {
  const auto tmp = std::ranges::find(uses, "tmp_bytes", &StorageUse::limit);
  if (tmp == uses.end()) return fail("'" + path + "' has no file system");
  // What is there is the program's work: no link is followed, and no FIFO waited for.
  const UniqueFd file =
      TRY(os::open_resolved(tmp->place.get(), path.substr(1), O_RDONLY | O_NONBLOCK | O_NOCTTY,
                            RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV));
  const struct stat status = TRY(os::stat_fd(file.get(), path));
  if (!S_ISREG(status.st_mode)) return fail("'" + path + "' is not a regular file");
  return os::read_all(file.get(), path, most);
}

StorageReport read_storage(const std::vector<StorageUse>& uses, const LimitSet& limits) {
  StorageReport report;
  for (const StorageUse& use : uses) {
    struct statvfs status {};
    if (fstatvfs(use.place.get(), &status) != 0) continue;
    const std::uint64_t bytes = (status.f_blocks - status.f_bfree) * status.f_frsize;
    const std::uint64_t inodes = status.f_files - status.f_ffree;
    const auto& limit = use.limit == "tmp_bytes" ? limits.tmp_bytes : limits.disk_bytes;
    if (limit && is_full(use, status, *limit))
      report.hits.push_back({use.limit, *limit, std::min(bytes, *limit)});
    if (limits.inodes && status.f_ffree == 0)
      report.hits.push_back({"inodes", *limits.inodes, limits.inodes});
    if (!use.is_workspace) continue;
    report.workspace_bytes = bytes;
    report.workspace_inodes = inodes - std::min(inodes, use.own_inodes);
  }
  return report;
}

}  // namespace sbx
