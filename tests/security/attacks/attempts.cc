// What the attempts of several families share.
#include "attempts.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <csignal>

namespace sbx::attack {

volatile long victim_mark = 0;

void not_tried() { _exit(kNotTried); }

void try_own_network() { (void)unshare(CLONE_NEWNET); }

bool is_modular() { return !target("modular").empty(); }
bool spares_modules() { return target("modules") == "spare" && is_modular(); }

pid_t start_child() {
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);  // it ended before
  }
  return pid;
}

long end_as(pid_t child) {
  int status = 0;
  if (child < 0 || waitpid(child, &status, __WALL) != child) return -1;
  if (WIFSIGNALED(status)) (void)kill(getpid(), WTERMSIG(status));
  return result_of(WEXITSTATUS(status));
}

std::string content_of(const std::string& path) {
  std::string content;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return content;
  char buffer[65536];
  ssize_t size = 0;
  while ((size = read(fd, buffer, sizeof buffer)) > 0) content.append(buffer, static_cast<std::size_t>(size));
  (void)close(fd);
  return content;
}

long open_pidfd(pid_t pid) { return syscall(SYS_pidfd_open, pid, 0); }

long i386_call(long number, long first, long second, long third) {
  asm volatile("int $0x80"
               : "+a"(number)
               : "b"(first), "c"(second), "d"(third)
               : "memory", "r8", "r9", "r10", "r11");
  const int result = static_cast<int>(number);
  if (result >= 0) return result;
  errno = -result;
  return -1;
}

}  // namespace sbx::attack
