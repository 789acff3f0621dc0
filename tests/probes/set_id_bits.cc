// Tries every way to make a file in the current directory that has a set-id bit: prints "set" for one that
// worked, "dropped" where the call was taken but the bits were not, or the errno. Besides: device nodes.
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <climits>

#include "attempt.h"

namespace {

constexpr unsigned long kHighBit = 1UL << 32U;  // above what the kernel reads of a mode
constexpr mode_t kMode = 06755;
constexpr int kCreate = O_CREAT | O_WRONLY;

// What became of the file NAME after `call`.
template <class F>
void try_to_set(const std::string& name, F call) {
  errno = 0;
  if (call(name.c_str()) < 0) return sbx::probe::report(name, -1);
  struct stat status {};
  if (stat(name.c_str(), &status) != 0) return sbx::probe::report(name, -1);
  sbx::probe::say(name, (status.st_mode & 06000) != 0 ? "set" : "dropped");
}

int plain_file(const char* name) { return open(name, kCreate, 0644); }

long through_openat2(const char* name) {
  open_how how{};
  how.flags = kCreate;
  how.mode = kMode;
  return syscall(SYS_openat2, AT_FDCWD, name, &how, sizeof how);
}

// An unnamed file, given its name afterwards.
long through_tmpfile(const char* name) {
  const long fd = syscall(SYS_openat, AT_FDCWD, ".", O_TMPFILE | O_WRONLY, kMode);
  if (fd < 0) return fd;
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  return linkat(AT_FDCWD, link.c_str(), AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}

void device(const std::string& name, mode_t type, dev_t number) {
  sbx::probe::attempt(name,
                      [&] { return syscall(SYS_mknodat, AT_FDCWD, name.c_str(), type | 0666, number); });
}

}  // namespace

int main() {
  (void)umask(0);
  try_to_set("chmod", [](const char* n) { return close(plain_file(n)), syscall(SYS_chmod, n, kMode); });
  try_to_set("chmod_high",
             [](const char* n) { return close(plain_file(n)), syscall(SYS_chmod, n, kHighBit | kMode); });
  try_to_set("chmod_setuid",
             [](const char* n) { return close(plain_file(n)), syscall(SYS_chmod, n, 04755); });
  try_to_set("chmod_setgid",
             [](const char* n) { return close(plain_file(n)), syscall(SYS_chmod, n, 02755); });
  try_to_set("fchmod", [](const char* n) { return syscall(SYS_fchmod, plain_file(n), kMode); });
  try_to_set("fchmodat",
             [](const char* n) { return close(plain_file(n)), syscall(SYS_fchmodat, AT_FDCWD, n, kMode); });
  try_to_set("fchmodat2",
             [](const char* n) { return close(plain_file(n)), syscall(452, AT_FDCWD, n, kMode, 0); });
  try_to_set("creat", [](const char* n) { return syscall(SYS_creat, n, kMode); });
  try_to_set("open", [](const char* n) { return syscall(SYS_open, n, kCreate, kMode); });
  try_to_set("openat", [](const char* n) { return syscall(SYS_openat, AT_FDCWD, n, kCreate, kMode); });
  try_to_set("openat_high", [](const char* n) {
    return syscall(SYS_openat, AT_FDCWD, n, kHighBit | static_cast<unsigned long>(kCreate), kHighBit | kMode);
  });
  try_to_set("openat2", through_openat2);
  try_to_set("tmpfile", through_tmpfile);
  try_to_set("mknod", [](const char* n) { return syscall(SYS_mknod, n, S_IFREG | kMode, 0); });
  try_to_set("mknodat", [](const char* n) { return syscall(SYS_mknodat, AT_FDCWD, n, S_IFREG | kMode, 0); });
  try_to_set("mknod_fifo", [](const char* n) { return syscall(SYS_mknod, n, S_IFIFO | kMode, 0); });
  try_to_set("mkdir", [](const char* n) { return syscall(SYS_mkdir, n, kMode); });
  device("character_device", S_IFCHR, makedev(1, 5));
  device("block_device", S_IFBLK, makedev(7, 0));
  device("whiteout", S_IFCHR, 0);
  (void)close(plain_file("moved"));
  sbx::probe::attempt("rename_whiteout", [] {
    return syscall(SYS_renameat2, AT_FDCWD, "moved", AT_FDCWD, "moved.new", 4 /* RENAME_WHITEOUT */);
  });
  return 0;
}
