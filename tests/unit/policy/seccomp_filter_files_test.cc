// The shipped filters in the kernel: files, devices and terminals.
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "kernel_filter.h"

namespace sbx {
namespace {

using namespace testing;

TEST_CASE("calls on terminals and files that reach beyond are refused, high bits or not") {
  // On this descriptor the kernel itself would say ENOTTY, or EBADF for a number that is no descriptor.
  const long fd = memfd_create("probe", MFD_CLOEXEC);
  REQUIRE(fd >= 0);
  for (const long request : {0x5412L, 0x541cL, 0x5423L, 0x40086602L, 0x401c5820L}) {
    CAPTURE(request);
    CHECK(in_child("", [&] { return call(SYS_ioctl, -1, request, 0); }) == -EBADF);
    FOR_EACH_FILTER {
      CHECK(loaded_.run(SYS_ioctl, fd, request, 0) == -EPERM);
      CHECK(loaded_.run(SYS_ioctl, fd, request | kHighBits, 0) == -EPERM);
    }
  }
  FOR_EACH_FILTER {
    CHECK(loaded_.run(SYS_ioctl, fd, TIOCGWINSZ, 0) == -ENOTTY);
    CHECK(loaded_.run(SYS_ioctl, -1, TIOCSCTTY, 0) == -EBADF);
  }
  (void)close(static_cast<int>(fd));
}

TEST_CASE("a pty can be made and used as a controlling terminal") {
  FOR_EACH_FILTER {
    const long result = loaded_.run([] {
      const long master = call(SYS_openat, AT_FDCWD, pointer("/dev/ptmx"), O_RDWR | O_NOCTTY | O_CLOEXEC);
      if (master < 0) return 0L;  // a host without ptys
      const int unlocked = 0;
      if (const long error = call(SYS_ioctl, master, TIOCSPTLCK, pointer(&unlocked)); error < 0) return error;
      const winsize size{24, 80, 0, 0};
      if (const long error = call(SYS_ioctl, master, TIOCSWINSZ, pointer(&size)); error < 0) return error;
      const long slave = call(SYS_ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
      if (slave < 0) return slave;
      if (const long error = call(SYS_setsid); error < 0) return error;
      if (const long error = call(SYS_ioctl, slave, TIOCSCTTY, 0); error < 0) return error;
      const long typed = call(SYS_ioctl, slave, TIOCSTI, pointer("x"));
      return typed == -EPERM ? 0L : -1000L;
    });
    CHECK(result == 0);
  }
}

TEST_CASE("no file with a set-id bit, and no device, can be made") {
  const TempDirectory place;
  const std::string file = place.write("file", "");
  const std::string made = place.path() + "/made";
  const long fd = open(file.c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(fd >= 0);
  const auto has_set_id = [&] {
    struct stat status {};
    return stat(file.c_str(), &status) == 0 && (status.st_mode & 06000U) != 0;
  };
  const std::vector<long> modes{04755, 02755, 06777, 04000, 04755 | kHighBits, 04755 | 0x100000};
  FOR_EACH_FILTER {
    for (const long mode : modes) {
      CAPTURE(mode);
      CHECK(loaded_.run(SYS_chmod, pointer(file.c_str()), mode) == -EPERM);
      CHECK(loaded_.run(SYS_fchmod, fd, mode) == -EPERM);
      CHECK(loaded_.run(SYS_fchmodat, AT_FDCWD, pointer(file.c_str()), mode) == -EPERM);
      CHECK(loaded_.run(452 /* fchmodat2 */, AT_FDCWD, pointer(file.c_str()), mode, 0) == -EPERM);
      CHECK(loaded_.run(SYS_creat, pointer(made.c_str()), mode) == -EPERM);
      CHECK(loaded_.run(SYS_mknod, pointer(made.c_str()), S_IFREG | mode, 0) == -EPERM);
      CHECK(loaded_.run(SYS_mknodat, AT_FDCWD, pointer(made.c_str()), S_IFREG | mode, 0) == -EPERM);
      for (const long flags : {O_CREAT | O_WRONLY, O_CREAT | O_EXCL | O_RDWR, O_TMPFILE | O_RDWR}) {
        const std::string& path = (flags & O_TMPFILE) == O_TMPFILE ? place.path() : made;
        CHECK(loaded_.run(SYS_open, pointer(path.c_str()), flags, mode) == -EPERM);
        CHECK(loaded_.run(SYS_openat, AT_FDCWD, pointer(path.c_str()), flags, mode) == -EPERM);
        CHECK(loaded_.run(SYS_openat, AT_FDCWD, pointer(path.c_str()), flags | kHighBits, mode) == -EPERM);
      }
    }
    CHECK_FALSE(has_set_id());
    for (const long type : {S_IFCHR, S_IFBLK}) {
      CHECK(loaded_.run(SYS_mknod, pointer(made.c_str()), type | 0644, 0) == -EPERM);
      CHECK(loaded_.run(SYS_mknodat, AT_FDCWD, pointer(made.c_str()), type | 0644, 0) == -EPERM);
    }
    CHECK_FALSE(std::filesystem::exists(made));
    CHECK(loaded_.run(SYS_openat2, AT_FDCWD, 0, 0, 0) == -ENOSYS);
  }
  // The control: without the filter it is as easy as that.
  CHECK(in_child("", [&] { return call(SYS_chmod, pointer(file.c_str()), 04755); }) == 0);
  CHECK(has_set_id());
  (void)close(static_cast<int>(fd));
}

TEST_CASE("files without a set-id bit are made and changed as ever") {
  const TempDirectory place;
  const std::string file = place.write("file", "");
  FOR_EACH_FILTER {
    const std::string base = place.path() + "/" + loaded_.name;
    const auto path = [&](const char* name) { return base + name; };
    CHECK(loaded_.run(SYS_chmod, pointer(file.c_str()), 01755) == 0);
    CHECK(loaded_.run(SYS_fchmodat, AT_FDCWD, pointer(file.c_str()), 0640) == 0);
    CHECK(loaded_.run(SYS_open, pointer(path("1").c_str()), O_CREAT | O_WRONLY, 0644) >= 0);
    CHECK(loaded_.run(SYS_openat, AT_FDCWD, pointer(path("2").c_str()), O_CREAT | O_WRONLY, 0777) >= 0);
    CHECK(loaded_.run(SYS_creat, pointer(path("3").c_str()), 0600) >= 0);
    CHECK(loaded_.run(SYS_mknod, pointer(path("4").c_str()), S_IFIFO | 0600, 0) == 0);
    CHECK(loaded_.run(SYS_mknodat, AT_FDCWD, pointer(path("5").c_str()), S_IFREG | 0600, 0) == 0);
    CHECK(loaded_.run(SYS_mkdir, pointer(path("6").c_str()), 0755) == 0);
    // Without O_CREAT the kernel does not read the mode, and what is in the register is anything.
    CHECK(loaded_.run(SYS_open, pointer(file.c_str()), O_RDONLY, -1) >= 0);
    CHECK(loaded_.run(SYS_openat, AT_FDCWD, pointer(file.c_str()), O_RDONLY | O_CLOEXEC, 06777) >= 0);
    const long temporary =
        loaded_.run(SYS_openat, AT_FDCWD, pointer(place.path().c_str()), O_TMPFILE | O_RDWR, 0600);
    CHECK((temporary >= 0 || temporary == -EOPNOTSUPP));
  }
}

TEST_CASE("huge pages of the host's pool and whiteouts cannot be had") {
  const TempDirectory place;
  const std::string from = place.write("from", "");
  const std::string to = place.path() + "/to";
  constexpr long kPrivate = MAP_PRIVATE | MAP_ANONYMOUS;
  FOR_EACH_FILTER {
    CHECK(loaded_.run([] { return call(SYS_mmap, 0, 4096, PROT_READ, kPrivate, -1, 0); }) > 0);
    CHECK(loaded_.run([] { return call(SYS_mmap, 0, 4096, PROT_READ, kPrivate | MAP_HUGETLB, -1, 0); }) ==
          -EPERM);
    CHECK(loaded_.run(SYS_memfd_create, pointer("x"), 4 /* MFD_HUGETLB */) == -EPERM);
    CHECK(loaded_.run(SYS_shmget, 0, 4096, 04600 /* SHM_HUGETLB */) == -EPERM);
    CHECK(loaded_.run(SYS_renameat2, AT_FDCWD, pointer(from.c_str()), AT_FDCWD, pointer(to.c_str()),
                      4 /* RENAME_WHITEOUT */) == -EPERM);
    CHECK(loaded_.run(SYS_renameat2, AT_FDCWD, pointer(from.c_str()), AT_FDCWD, pointer(from.c_str()), 0) ==
          0);
  }
}

TEST_CASE("attributes and ACLs are shorter than 256 bytes, by all bits of their size") {
  constexpr long kHigh = 1L << 32U;
  FOR_EACH_FILTER {
    for (const long call_number : {SYS_setxattr, SYS_lsetxattr, SYS_fsetxattr}) {
      // On what is not there.
      const auto set = [&](long size) {
        const long where = call_number == SYS_fsetxattr ? -1 : pointer("/nonexistent");
        return loaded_.run(call_number, where, pointer("user.x"), pointer(""), size, 0);
      };
      const long missing = call_number == SYS_fsetxattr ? -EBADF : -ENOENT;
      CHECK(set(0) == missing);
      for (const long size : {256L, 257L, 65536L, kHigh, kHigh | 1, -1L}) {
        CAPTURE(size);
        CHECK(set(size) == -EPERM);
      }
    }
    CHECK(loaded_.run(463 /* setxattrat */, AT_FDCWD, 0, 0, 0, 0) == -ENOSYS);
  }
}

}  // namespace
}  // namespace sbx
