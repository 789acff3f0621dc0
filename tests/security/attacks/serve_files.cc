// Files of the host.
#include <poll.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "file_attempts.h"
#include "serve.h"

namespace sbx::attack {
namespace {

constexpr const char* kSystemFile = "/usr/lib/os-release";

void must(bool done, const std::string& what) {
  if (done) return;
  std::fprintf(stderr, "serve: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

void make_file(const std::string& path, const char* text, mode_t mode) {
  const int fd = open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  const auto size = static_cast<ssize_t>(std::strlen(text));
  must(fd >= 0 && write(fd, text, std::strlen(text)) == size && fchmod(fd, mode) == 0, path);
  (void)close(fd);
}

// tests/probes/rights_held, which is beside this program.
std::string rights_held() {
  char path[PATH_MAX] = {};
  must(readlink("/proc/self/exe", path, sizeof path - 1) > 0, "/proc/self/exe");
  const std::string self = path;
  return self.substr(0, self.rfind('/')) + "/rights_held";
}

void copy_rights_held(const std::string& path, mode_t mode) {
  const int from = open(rights_held().c_str(), O_RDONLY | O_CLOEXEC);
  const int to = open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0700);
  struct stat status {};
  must(fstat(from, &status) == 0 &&
           sendfile(to, from, nullptr, static_cast<std::size_t>(status.st_size)) == status.st_size &&
           fchmod(to, mode) == 0,
       path);
  (void)close(from);
  (void)close(to);
}

// One capability: where all are asked for, a root that lacks one cannot start the program at all.
void give_capability(const std::string& path) {
  constexpr std::uint32_t kVersionAndEffective = 0x02000001;
  static constexpr std::uint32_t kReadAnything[5] = {kVersionAndEffective, 1U << 2U, 0, 0, 0};
  must(setxattr(path.c_str(), "security.capability", kReadAnything, sizeof kReadAnything, 0) == 0, path);
}

dev_t disk() {
  struct stat status {};
  return stat("/", &status) == 0 && major(status.st_dev) != 0 ? status.st_dev : makedev(7, 0);
}

void make_device(const std::string& path, mode_t kind, dev_t number) {
  must(mknod(path.c_str(), kind, number) == 0 && chmod(path.c_str(), 0666) == 0, path);
}

// A directory that sandboxes are shown, with what the host's root has left in it.
void make_shown(const std::string& directory) {
  must(mkdir(directory.c_str(), 0755) == 0, directory);
  make_file(directory + "/file", "text\n", 0666);
  make_file(directory + "/removed", "text\n", 0666);
  make_device(directory + "/device", S_IFCHR, makedev(1, 5));
  make_device(directory + "/disk", S_IFBLK, disk());
  copy_rights_held(directory + "/set_uid", 04755);
  copy_rights_held(directory + "/set_gid", 02755);
  copy_rights_held(directory + "/capable", 0755);
  give_capability(directory + "/capable");
}

void say_handle(const std::string& path) {
  struct {
    unsigned size = 128;
    int type = 0;
    unsigned char bytes[128] = {};
  } handle;
  int mount = 0;
  if (syscall(SYS_name_to_handle_at, AT_FDCWD, path.c_str(), &handle, &mount, 0) != 0) return;
  std::string text;
  for (unsigned i = 0; i < handle.size; ++i) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned>(handle.bytes[i]));
    text += digits;
  }
  say("handle", text);
  say("handle_type", std::to_string(handle.type));
}

void lock_system_file() {
  const int fd = open(kSystemFile, O_RDONLY | O_CLOEXEC);
  struct flock lock {};
  lock.l_type = F_RDLCK;
  must(fd >= 0 && flock(fd, LOCK_SH) == 0 && fcntl(fd, F_OFD_SETLK, &lock) == 0, kSystemFile);
}

void use(const std::string& path) {
  char byte = 0;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  (void)!read(fd, &byte, 1);
  (void)close(fd);
}

}  // namespace

void make_files(const std::string& place) {
  make_file(place + "/secret", kSecret, 0644);
  make_shown(place + "/shown");
  make_shown(place + "/writable");
  must(mkdir((place + "/own").c_str(), 0755) == 0, "own");
  say("place", place);
  say("disk", std::to_string(disk()));
  say("secret", place + "/secret");
  say("shown", place + "/shown");
  say("files", place + "/shown");
  say("writable", place + "/writable");
  say("outputs", place + "/own");
  say("home", place + "/own");
  say("handle_place", place);
  say_handle(place + "/secret");
  lock_system_file();
}

void use_files(const std::string& place) {
  use(kSystemFile);
  use(place + "/shown/file");
}

}  // namespace sbx::attack
