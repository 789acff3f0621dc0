#include "sbxd/memory_pressure.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "os/file.h"

namespace sbx {

Result<UniqueFd> watch_memory_pressure() {
  constexpr const char* kPath = "/proc/pressure/memory";
  constexpr char kTrigger[] = "some 200000 2000000";  // microseconds; with its NUL
  UniqueFd fd = TRY(os::open_at(AT_FDCWD, kPath, O_RDWR | O_NONBLOCK));
  if (write(fd.get(), kTrigger, sizeof kTrigger) < 0) return fail(system_error("write", kPath, errno));
  return fd;
}

}  // namespace sbx
