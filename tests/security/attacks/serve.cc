// What belongs to somebody else outside, for the attackers to aim at.
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <string>

#include "attempts.h"

namespace sbx::attack {
namespace {

void wait_for_ever() {
  while (true) (void)pause();
}

pid_t start_victim() {
  const pid_t pid = start_child();
  if (pid == 0) wait_for_ever();
  return pid;
}

// A process with namespaces of its own.
pid_t start_apart() {
  std::array<int, 2> ready{};
  (void)!pipe(ready.data());
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    (void)unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP);
    // After it: new credentials forget the death signal.
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    (void)!write(ready[1], "r", 1);
    wait_for_ever();
  }
  char byte = 0;
  (void)close(ready[1]);
  (void)!read(ready[0], &byte, 1);
  return pid;
}

// A key that everybody may look at and read; it goes with this process.
long make_key() {
  const std::string secret = "secret";
  const long key = syscall(SYS_add_key, "user", "sbx-attack", secret.c_str(), secret.size(), -2);
  (void)syscall(SYS_keyctl, 5 /* KEYCTL_SETPERM */, key, 0x3f030303);
  return key;
}

// The name of a terminal of ours.
std::string make_terminal() {
  const int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  const int unlocked = 0;
  unsigned number = 0;
  (void)ioctl(master, TIOCSPTLCK, &unlocked);
  (void)ioctl(master, TIOCGPTN, &number);
  return "/dev/pts/" + std::to_string(number);
}

void say(const std::string& name, const std::string& value) {
  std::printf("%s=%s\n", name.c_str(), value.c_str());
}

}  // namespace

int serve() {
  const pid_t victim = start_victim();
  const pid_t apart = start_apart();
  say("key", target("key"));
  say("victim", std::to_string(victim));
  say("apart", std::to_string(apart));
  say("readable_key", std::to_string(make_key()));
  say("terminal", make_terminal());
  std::printf("serving\n");
  (void)std::fflush(stdout);
  char byte = 0;
  while (read(0, &byte, 1) > 0) {
  }
  (void)kill(victim, SIGKILL);
  (void)kill(apart, SIGKILL);
  return 0;
}

}  // namespace sbx::attack
