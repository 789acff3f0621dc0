// Has a terminal of its own, and tries to give flags to a file of its own.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "attempt.h"

namespace {

using sbx::probe::attempt;

int open_terminal() {
  const int master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
  const int unlocked = 0;
  if (master < 0 || ioctl(master, TIOCSPTLCK, &unlocked) != 0) return -1;
  return ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
}

}  // namespace

int main() {
  const int terminal = open_terminal();
  sbx::probe::report("open_terminal", terminal);
  attempt("window_size", [&] {
    winsize size{};
    return syscall(SYS_ioctl, terminal, TIOCGWINSZ, &size);
  });
  const int file = open(".", O_TMPFILE | O_RDWR, 0600);
  sbx::probe::report("open_file", file);
  long flags = 0;
  (void)ioctl(file, FS_IOC_GETFLAGS, &flags);
  attempt("set_flags", [&] { return syscall(SYS_ioctl, file, FS_IOC_SETFLAGS, &flags); });
  attempt("set_xattr_flags", [&] {
    fsxattr attributes{};
    (void)ioctl(file, FS_IOC_FSGETXATTR, &attributes);
    return syscall(SYS_ioctl, file, FS_IOC_FSSETXATTR, &attributes);
  });
  return 0;
}
