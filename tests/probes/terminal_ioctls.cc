// Types into a terminal as if its user did, and the like, on a pty of its own and a file of its own.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "attempt.h"

namespace {

using sbx::probe::attempt;

constexpr unsigned long kHighBit = 1UL << 32U;  // above what the kernel reads of a request

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
  char letter = 'x';
  int discipline = 0;  // N_TTY, which it has already
  attempt("window_size", [&] {
    winsize size{};
    return syscall(SYS_ioctl, terminal, TIOCGWINSZ, &size);
  });
  attempt("tiocsti", [&] { return syscall(SYS_ioctl, terminal, TIOCSTI, &letter); });
  attempt("tiocsti_high", [&] { return syscall(SYS_ioctl, terminal, TIOCSTI | kHighBit, &letter); });
  attempt("tioclinux", [&] { return syscall(SYS_ioctl, terminal, TIOCLINUX, &letter); });
  attempt("tiocsetd", [&] { return syscall(SYS_ioctl, terminal, TIOCSETD, &discipline); });
  attempt("tiocsetd_high", [&] { return syscall(SYS_ioctl, terminal, TIOCSETD | kHighBit, &discipline); });
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
