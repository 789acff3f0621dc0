// Set-id bits, by every call that can set them: a file that is made inside must be worthless outside.
#include <linux/openat2.h>
#include <sys/syscall.h>

#include "file_attempts.h"

namespace sbx::attack {
namespace {

constexpr unsigned long kHighBit = 1UL << 32U;  // above what the kernel reads of a mode
constexpr mode_t kMode = 06755;
constexpr unsigned long kCreate = O_CREAT | O_WRONLY;
// The same on all architectures since Linux 6.6 (syscalls/syscall.tbl); newer than our headers.
constexpr long kFchmodat2 = 452;

// The file NAME that `call` made or changed has such a bit.
long bits_of(const char* name, long result) {
  struct stat status {};
  if (result < 0 || stat(name, &status) < 0) return -1;
  return (status.st_mode & 06000) != 0 ? 0 : in_vain();
}

template <mode_t mode, unsigned long high = 0>
long by_chmod() {
  const char* name = plain("bits_chmod");
  return bits_of(name, syscall(SYS_chmod, name, high | mode));
}

long by_fchmod() { return bits_of("bits_fchmod", syscall(SYS_fchmod, opened("bits_fchmod"), kMode)); }

long by_fchmodat() {
  const char* name = plain("bits_fchmodat");
  return bits_of(name, syscall(SYS_fchmodat, AT_FDCWD, name, kMode));
}

long by_fchmodat2() {
  const char* name = plain("bits_fchmodat2");
  return bits_of(name, syscall(kFchmodat2, AT_FDCWD, name, kMode, 0));
}

template <unsigned long flags = kCreate, unsigned long high = 0>
long by_open() {
  (void)unlink("bits_open");
  return bits_of("bits_open", syscall(SYS_open, "bits_open", flags, high | kMode));
}

template <unsigned long high = 0>
long by_openat() {
  (void)unlink("bits_openat");
  return bits_of("bits_openat", syscall(SYS_openat, AT_FDCWD, "bits_openat", high | kCreate, high | kMode));
}

long by_openat2() {
  open_how how{};
  how.flags = kCreate;
  how.mode = kMode;
  return bits_of("bits_openat2", syscall(SYS_openat2, AT_FDCWD, "bits_openat2", &how, sizeof how));
}

long by_creat() {
  (void)unlink("bits_creat");
  return bits_of("bits_creat", syscall(SYS_creat, "bits_creat", kMode));
}

long by_mknod() { return bits_of("bits_mknod", syscall(SYS_mknod, "bits_mknod", S_IFREG | kMode, 0)); }

long by_mknodat() {
  return bits_of("bits_mknodat", syscall(SYS_mknodat, AT_FDCWD, "bits_mknodat", S_IFREG | kMode, 0));
}

long by_fifo() { return bits_of("bits_fifo", syscall(SYS_mknod, "bits_fifo", S_IFIFO | kMode, 0)); }

// A file without a name, which it gets afterwards.
long by_tmpfile() {
  const long fd = syscall(SYS_openat, AT_FDCWD, ".", O_TMPFILE | O_WRONLY, kMode);
  if (fd < 0) return fd;
  const std::string unnamed = "/proc/self/fd/" + std::to_string(fd);
  return bits_of("bits_tmpfile",
                 linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, "bits_tmpfile", AT_SYMLINK_FOLLOW));
}

long by_directory() {
  (void)mkdir("bits_directory", 0755);
  return bits_of("bits_directory", syscall(SYS_chmod, "bits_directory", 02755));
}

long in_bind() {
  const std::string name = target("writable") + "/bits_bind";
  (void)plain(name.c_str());
  return bits_of(name.c_str(), syscall(SYS_chmod, name.c_str(), 04755));
}

constexpr const char* kBits = "filter: the bits of the mode";
constexpr const char* kPointer = "filter: openat2, whose mode it cannot see, does not exist";

// The bits belong to an id that nobody is, so that they are worth little where they can be set
// (docs/decisions/0006).
constexpr Attack bits(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {
      .name = name, .aim = aim, .control = kBits, .inside = "EPERM", .unfiltered = "ok", .attempt = attempt};
}

constexpr Attack kAttacks[] = {
    bits("files.setid_chmod", "make a set-id file by chmod", by_chmod<kMode>),
    bits("files.setuid_chmod", "make a set-user-id file", by_chmod<04755>),
    bits("files.setgid_chmod", "make a set-group-id file", by_chmod<02755>),
    bits("files.setid_chmod_high", "make one with a bit set that the kernel does not read",
         by_chmod<kMode, kHighBit>),
    bits("files.setid_fchmod", "make one by fchmod", by_fchmod),
    bits("files.setid_fchmodat", "make one by fchmodat", by_fchmodat),
    {.name = "files.setid_fchmodat2",
     .aim = "make one by fchmodat2",
     .control = kBits,
     .inside = "EPERM",
     .unfiltered = "ok|ENOSYS",
     .outside = "ok|ENOSYS",  // since Linux 6.6
     .attempt = by_fchmodat2},
    bits("files.setid_open", "make one by open", by_open<>),
    bits("files.setid_open_high", "make one by open with a high bit", by_open<kCreate, kHighBit>),
    bits("files.setid_openat", "make one by openat", by_openat<>),
    bits("files.setid_openat_high", "make one by openat with a high bit", by_openat<kHighBit>),
    {.name = "files.setid_openat2",
     .aim = "make one by a mode behind a pointer",
     .control = kPointer,
     .inside = "ENOSYS",
     .unfiltered = "ok",
     .attempt = by_openat2},
    bits("files.setid_creat", "make one by creat", by_creat),
    bits("files.setid_mknod", "make one by mknod", by_mknod),
    bits("files.setid_mknodat", "make one by mknodat", by_mknodat),
    bits("files.setid_fifo", "make a set-id FIFO", by_fifo),
    bits("files.setid_tmpfile", "make one without a name, and name it", by_tmpfile),
    bits("files.setgid_directory", "make a directory that gives its group on", by_directory),
    bits("files.setid_bind", "make one in a writable directory of the host, with its owner's rights",
         in_bind),
};

}  // namespace

std::span<const Attack> set_id_attacks() { return kAttacks; }

}  // namespace sbx::attack
