// What the API may ask the kernel for: each in a process of its own, which a call that it may not is the end
// of.
#include "api/own_filter.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace sbx::api {
namespace {

// How a process ends that does this behind the filter: its exit status, or 128 and the signal.
template <class Do>
int behind_the_filter(Do what) {
  const pid_t child = fork();
  if (child == 0) {
    (void)signal(SIGSYS, SIG_DFL);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !enter_own_filter()) _exit(99);
    what();
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

constexpr int kKilled = 128 + SIGSYS;

}  // namespace

TEST_CASE("behind its filter the API can serve and keep files") {
  CHECK(behind_the_filter([] {
          const int fd = memfd_create("x", 0);
          if (fd < 0 || ftruncate(fd, 4096) != 0 || pwrite(fd, "x", 1, 9) != 1 || fsync(fd) != 0) _exit(1);
          void* const place = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
          if (place == MAP_FAILED || munmap(place, 4096) != 0) _exit(2);
          struct flock lock {};
          lock.l_type = F_WRLCK;
          if (fcntl(fd, F_SETLK, &lock) != 0) _exit(3);
          int pair[2];
          if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0) _exit(4);
          if (openat(AT_FDCWD, "/", O_RDONLY) < 0 || unlink("/no/such") == 0) _exit(5);
        }) == 0);
  CHECK(behind_the_filter([] {
          const int master = posix_openpt(O_RDWR | O_NOCTTY);
          const winsize size{24, 80, 0, 0};
          if (ioctl(master, TIOCSWINSZ, &size) != 0 || ioctl(master, TIOCSIG, SIGINT) != 0) _exit(1);
          (void)ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);  // locked
        }) == 0);
}

TEST_CASE("behind its filter the API can start nothing, reach nobody, and make no memory executable") {
  CHECK(behind_the_filter([] { (void)execl("/bin/true", "true", nullptr); }) == kKilled);
  CHECK(behind_the_filter([] { (void)fork(); }) == kKilled);
  CHECK(behind_the_filter([] { (void)syscall(SYS_clone3, nullptr, 0); }) == kKilled);
  CHECK(behind_the_filter([] { (void)socket(AF_INET, SOCK_STREAM, 0); }) == kKilled);
  CHECK(behind_the_filter([] { (void)socket(AF_UNIX, SOCK_STREAM, 0); }) == kKilled);
  CHECK(behind_the_filter([] {
          (void)mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        }) == kKilled);
  CHECK(behind_the_filter([] { (void)kill(1, 0); }) == kKilled);
  CHECK(behind_the_filter([] { (void)setuid(0); }) == kKilled);
  CHECK(behind_the_filter([] { (void)syscall(SYS_ptrace, 0, 0, 0, 0); }) == kKilled);
  CHECK(behind_the_filter([] { (void)chroot("/"); }) == kKilled);
  // Nothing is typed into a terminal as if somebody had, and none becomes its own.
  CHECK(behind_the_filter([] { (void)ioctl(0, TIOCSTI, "x"); }) == kKilled);
  CHECK(behind_the_filter([] { (void)ioctl(0, TIOCSCTTY, 0); }) == kKilled);
}

}  // namespace sbx::api
