// What belongs to somebody else outside, for the attackers to aim at.
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "attempts.h"

namespace sbx::attack {
namespace {

constexpr const char* kSystemFile = "/usr/lib/os-release";

void must(bool done, const char* what) {
  if (done) return;
  std::fprintf(stderr, "serve: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

// A process that only waits, with a socket at the number where init has its own. It goes with its parent,
// however that ends.
pid_t start_victim() {
  const pid_t parent = getpid();
  must(dup2(socket(AF_UNIX, SOCK_STREAM, 0), 3) == 3, "socket");
  const pid_t pid = fork();
  if (pid == 0) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);
    while (true) (void)pause();
  }
  return pid;
}

void say(const std::string& name, const std::string& value) {
  std::printf("%s=%s\n", name.c_str(), value.c_str());
}

void make_file(const std::string& path, const char* text, mode_t mode) {
  const int fd = open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  const auto size = static_cast<ssize_t>(std::strlen(text));
  must(fd >= 0 && write(fd, text, std::strlen(text)) == size && fchmod(fd, mode) == 0, path.c_str());
  (void)close(fd);
}

void copy_this_program(const std::string& path, mode_t mode) {
  const int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  const int to = open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0700);
  struct stat status {};
  must(fstat(from, &status) == 0 &&
           sendfile(to, from, nullptr, static_cast<std::size_t>(status.st_size)) == status.st_size &&
           fchmod(to, mode) == 0,
       path.c_str());
  (void)close(from);
  (void)close(to);
}

// One capability: where all are asked for, a root that lacks one cannot start the program at all.
void give_capability(const std::string& path) {
  static constexpr std::uint32_t kReadAnything[5] = {0x02000001, 1U << 2U, 0, 0, 0};
  must(setxattr(path.c_str(), "security.capability", kReadAnything, sizeof kReadAnything, 0) == 0,
       path.c_str());
}

dev_t disk() {
  struct stat status {};
  return stat("/", &status) == 0 && major(status.st_dev) != 0 ? status.st_dev : makedev(7, 0);
}

// A directory that sandboxes are shown, with what the host's root has left in it.
void make_shown(const std::string& directory) {
  must(mkdir(directory.c_str(), 0755) == 0, directory.c_str());
  make_file(directory + "/file", "text\n", 0666);
  make_file(directory + "/removed", "text\n", 0666);
  must(mknod((directory + "/device").c_str(), S_IFCHR, makedev(1, 5)) == 0 &&
           chmod((directory + "/device").c_str(), 0666) == 0,
       "device");
  must(mknod((directory + "/disk").c_str(), S_IFBLK, disk()) == 0 &&
           chmod((directory + "/disk").c_str(), 0666) == 0,
       "disk");
  copy_this_program(directory + "/setid", 06755);
  copy_this_program(directory + "/capable", 0755);
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

// Files are made below `place`, a directory that whoever started this removes.
void make_files(const std::string& place) {
  make_file(place + "/secret", kSecret, 0644);
  make_shown(place + "/shown");
  make_shown(place + "/writable");
  must(mkdir((place + "/own").c_str(), 0755) == 0, "own");
  say("place", place);
  say("secret", place + "/secret");
  say("shown", place + "/shown");
  say("files", place + "/shown");
  say("writable", place + "/writable");
  say("outputs", place + "/own");
  say("home", place + "/own");
  say("handle_place", place);
  say_handle(place + "/secret");
}

void use(const std::string& path) {
  char byte = 0;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  (void)!read(fd, &byte, 1);
  (void)close(fd);
}

}  // namespace

int serve() {
  const std::string place = target("place");
  must(!place.empty(), "place");
  const pid_t victim = start_victim();
  say("key", target("key"));
  say("victim", std::to_string(victim));
  say("host_victim", std::to_string(victim));
  say("disk", std::to_string(disk()));
  make_files(place);
  lock_system_file();
  std::printf("serving\n");
  (void)std::fflush(stdout);
  pollfd input{0, POLLIN, 0};
  while (poll(&input, 1, 50) == 0) {
    use(kSystemFile);
    use(place + "/shown/file");
  }
  (void)kill(victim, SIGKILL);
  (void)waitpid(victim, nullptr, 0);
  return 0;
}

}  // namespace sbx::attack
