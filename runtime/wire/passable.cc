#include "wire/passable.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <string>
#include <string_view>

#include "os/file.h"

namespace sbx {

Result<void> check_passable(int fd, int index) {
  static constexpr std::array<const char*, 3> kNames{"standard input", "standard output", "standard error"};
  const std::string name = kNames[static_cast<std::size_t>(index)];
  const struct stat status = TRY(os::stat_fd(fd, name));
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return fail(system_error("fcntl F_GETFL", name, errno));
  if ((flags & O_PATH) != 0) return fail(name + ": an O_PATH descriptor cannot be passed");
  if (S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3)) return {};  // /dev/null
  if (!S_ISFIFO(status.st_mode) && !S_ISREG(status.st_mode)) {
    return fail(name + ": only a pipe, a regular file or /dev/null can be passed");
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
