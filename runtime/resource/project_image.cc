#include "resource/project_image.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>

#include "base/scope_exit.h"
#include "os/file.h"
#include "os/loop_device.h"
#include "os/mount.h"
#include "os/run_tool.h"

namespace sbx {
namespace {

constexpr std::uint64_t kBlock = 4096;
constexpr std::uint64_t kInode = 256;
constexpr std::uint64_t kBytesPerInode = 16384;  // what mke2fs(8) takes without a number
constexpr std::uint64_t kMebibyte = 1ULL << 20U;
constexpr std::uint64_t kSmall = 256 * kMebibyte;
// By name, whatever mke2fs.conf(5) of this host says.
constexpr const char* kFeatures =
    "none,has_journal,ext_attr,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,"
    "huge_file,dir_nlink,extra_isize,metadata_csum";
constexpr std::uint64_t kOwnInodes = 16;  // reserved by ext4, and our directories (generations.h)

std::uint64_t journal_bytes(std::uint64_t bytes) { return (bytes < kSmall ? 4 : 16) * kMebibyte; }

// What the file system needs besides: inode tables, journal, two bitmaps and more for each 128M, and what
// ext4 keeps back so that delayed writes cannot fail (2 %, at most 4096 blocks).
std::uint64_t file_bytes(std::uint64_t bytes, std::uint64_t inodes) {
  std::uint64_t all = bytes + journal_bytes(bytes) + inodes * kInode + kMebibyte;
  all += all / 512;
  all += std::min(all / 48, 4096 * kBlock);
  return (all + kBlock - 1) / kBlock * kBlock;
}

// Which file it is, also after another had its name or its number.
Result<std::string> name_of(int file) {
  struct statx status {};
  if (statx(file, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &status) != 0) {
    return fail(system_error("statx", kProjectImage, errno));
  }
  std::array<char, 64> name{};
  (void)std::snprintf(
      name.data(), name.size(), "sbx-%x:%x-%" PRIx64 "-%" PRIx64, status.stx_dev_major, status.stx_dev_minor,
      static_cast<std::uint64_t>(status.stx_ino),
      static_cast<std::uint64_t>(status.stx_btime.tv_sec) * 1'000'000'000 + status.stx_btime.tv_nsec);
  return std::string(name.data());
}

std::string path_of(const std::string& directory) { return directory + "/" + kProjectImage; }

Result<void> take_space(const std::string& path, std::uint64_t bytes) {
  const UniqueFd file = TRY(os::open_at(AT_FDCWD, path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  int result = 0;
  do result = fallocate(file.get(), 0, 0, static_cast<off_t>(bytes));
  while (result != 0 && errno == EINTR);
  if (result != 0) return fail(system_error("fallocate", path, errno));
  if (ftruncate(file.get(), static_cast<off_t>(bytes)) != 0)
    return fail(system_error("ftruncate", path, errno));
  return {};
}

}  // namespace

Result<void> make_project_image(const std::string& directory, const ProjectLimits& limits, int lock) {
  const std::uint64_t bytes = *limits.bytes;
  const std::uint64_t inodes = limits.inodes.value_or(bytes / kBytesPerInode) + kOwnInodes;
  const std::uint64_t size = file_bytes(bytes, inodes);
  const std::string path = path_of(directory);
  TRY(take_space(path, size));
  // The file was never written: it reads as zeros.
  return os::run_tool({"mke2fs",
                       "-q",
                       "-F",
                       "-t",
                       "ext4",
                       "-b",
                       std::to_string(kBlock),
                       "-I",
                       std::to_string(kInode),
                       "-N",
                       std::to_string(inodes),
                       "-m",
                       "0",
                       "-e",
                       "remount-ro",
                       "-O",
                       kFeatures,
                       "-J",
                       "size=" + std::to_string(journal_bytes(bytes) / kMebibyte),
                       "-E",
                       "nodiscard,assume_storage_prezeroed=1,lazy_itable_init=1,root_owner=0:0",
                       path,
                       std::to_string(size / kBlock)},
                      0, lock);
}

Result<UniqueFd> mount_project_image(const std::string& directory) {
  const UniqueFd file = TRY(os::open_at(AT_FDCWD, path_of(directory), O_RDWR | O_NOFOLLOW));
  const std::string name = TRY(name_of(file.get()));
  std::optional<os::LoopDevice> loop = TRY(os::find_loop_device(kProjectImage, name));
  if (!loop) loop = TRY(os::attach_loop_device(file.get(), name));
  return os::new_mount("ext4", {{"source", loop->source}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

Result<bool> project_image_is_mounted(const std::string& directory) {
  const UniqueFd file = TRY(os::open_at(AT_FDCWD, path_of(directory), O_RDONLY | O_NOFOLLOW));
  const std::string name = TRY(name_of(file.get()));
  const std::optional<os::LoopDevice> loop = TRY(os::find_loop_device(kProjectImage, name));
  return loop.has_value();
}

Result<void> resize_project_image(const std::string& directory, const ProjectLimits& limits, int lock) {
  constexpr int kErrorsCorrected = 1;  // e2fsck(8), exit status
  const std::string path = path_of(directory);
  const std::string copy = path + ".new";  // projects.cc knows the name
  // A file of a killed resizer is never written again: whoever still has it open has another one.
  if (unlink(copy.c_str()) != 0 && errno != ENOENT) return fail(system_error("unlink", copy, errno));
  ScopeExit undo([&] { (void)unlink(copy.c_str()); });
  TRY(os::run_tool({"cp", "--reflink=auto", "--sparse=always", "--", path, copy}, 0, lock));
  TRY(os::run_tool({"e2fsck", "-f", "-p", copy}, kErrorsCorrected, lock));
  const std::uint64_t size =
      file_bytes(*limits.bytes, limits.inodes.value_or(*limits.bytes / kBytesPerInode));
  TRY(os::run_tool({"resize2fs", copy, std::to_string(size / kBlock)}, 0, lock));
  TRY(take_space(copy, size));
  const UniqueFd written = TRY(os::open_at(AT_FDCWD, copy, O_RDWR));
  if (fsync(written.get()) != 0) return fail(system_error("fsync", copy, errno));
  if (rename(copy.c_str(), path.c_str()) != 0) return fail(system_error("rename", copy, errno));
  undo.dismiss();
  return {};
}

}  // namespace sbx
