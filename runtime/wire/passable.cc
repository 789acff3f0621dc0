#include "wire/passable.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <string>
#include <string_view>

#include "os/file.h"

namespace sbx {
namespace {

constexpr long kPipeFs = 0x50495045;  // PIPEFS_MAGIC

// An access control list could give a sandbox's id more than the mode bits say.
bool has_acl(int fd) { return fgetxattr(fd, "system.posix_acl_access", nullptr, 0) > 0; }

}  // namespace

Result<void> check_passable(int fd, int index) {
  static constexpr std::array<const char*, 3> kNames{"standard input", "standard output", "standard error"};
  const std::string name = kNames[static_cast<std::size_t>(index)];
  const struct stat status = TRY(os::stat_fd(fd, name));
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return fail(system_error("fcntl F_GETFL", name, errno));
  if ((flags & O_PATH) != 0) return fail(name + ": an O_PATH descriptor cannot be passed");
  if (S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3)) return {};  // /dev/null
  struct statfs system {};
  if (fstatfs(fd, &system) != 0) return fail(system_error("fstatfs", name, errno));
  const bool pipe = S_ISFIFO(status.st_mode) && system.f_type == kPipeFs;
  const bool input_file = index == 0 && S_ISREG(status.st_mode);
  if (!pipe && !input_file) return fail(name + ": only a pipe, /dev/null or an input file can be passed");
  if (input_file && ((status.st_mode & S_IWOTH) != 0 || has_acl(fd))) {
    return fail(name + ": others may write to this file");
  }
  if ((flags & O_ACCMODE) != (index == 0 ? O_RDONLY : O_WRONLY)) {
    return fail(name + ": it is not open in one direction only");
  }
  constexpr std::string_view kMemfd = "/memfd:";
  std::array<char, 64> link{};
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t size = readlink(path.c_str(), link.data(), link.size());
  if (size < 0) return fail(system_error("readlink", path, errno));
  if (std::string_view(link.data(), static_cast<std::size_t>(size)).starts_with(kMemfd)) {
    return fail(name + ": a memfd cannot be passed");
  }
  return {};
}

}  // namespace sbx
