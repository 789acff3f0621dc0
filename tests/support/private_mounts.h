// File systems that only the program under test sees: mounted in its own mount namespace between fork and
// exec (ProgramOptions::before_exec), and gone with it. Only system calls; a failure ends the program
// with 99.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace sbx::test {

inline void require_call(bool good) {
  if (!good) _exit(99);
}

inline void enter_private_mounts() {
  require_call(unshare(CLONE_NEWNS) == 0);
  require_call(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
}

// `options` as tmpfs takes them: "size=64k,mode=0700".
inline void mount_tmpfs(const char* directory, const char* options) {
  require_call(mount("tmpfs", directory, "tmpfs", 0, options) == 0);
}

// Leaves no free byte in the file system of `directory`.
inline void fill_up(const char* directory) {
  static constexpr char kZeros[4096] = {};
  const int dir = open(directory, O_RDONLY | O_DIRECTORY);
  const int fd = openat(dir, "filler", O_WRONLY | O_CREAT, 0600);
  require_call(dir >= 0 && fd >= 0);
  while (write(fd, kZeros, sizeof kZeros) > 0) {
  }
  while (write(fd, kZeros, 1) > 0) {
  }
  (void)close(fd);
  (void)close(dir);
}

// The directory as it is, but read-only.
inline void make_read_only(const char* directory) {
  require_call(mount(directory, directory, nullptr, MS_BIND, nullptr) == 0);
  require_call(mount(nullptr, directory, nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) == 0);
}

// The directory below an overlay, which cannot be id-mapped. `layers`: made if it is not there.
inline void cover_by_overlay(const std::string& directory, const std::string& layers) {
  require_call(mkdir(layers.c_str(), 0700) == 0 || errno == EEXIST);
  mount_tmpfs(layers.c_str(), "size=16m,mode=0700");
  require_call(mkdir((layers + "/upper").c_str(), 0700) == 0 && mkdir((layers + "/work").c_str(), 0700) == 0);
  const std::string options =
      "lowerdir=" + directory + ",upperdir=" + layers + "/upper,workdir=" + layers + "/work";
  require_call(mount("overlay", directory.c_str(), "overlay", 0, options.c_str()) == 0);
}

// One file in the place of another.
inline void replace_by(const char* target, const char* source) {
  require_call(mount(source, target, nullptr, MS_BIND, nullptr) == 0);
}

}  // namespace sbx::test
