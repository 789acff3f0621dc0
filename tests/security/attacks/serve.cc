// What belongs to somebody else outside, for the attackers to aim at.
#include "serve.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "attempts.h"

namespace sbx::attack {
namespace {

constexpr int kRound = 50;  // milliseconds

// Removes what outlives processes, when all that hold `pipe` for writing have gone, however they ended.
[[noreturn]] void clean_up_after(int pipe, const std::string& key) {
  (void)setsid();
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) (void)signal(number, SIG_IGN);
  char byte = 0;
  (void)!read(pipe, &byte, 1);
  remove_ipc_objects(key);
  remove_servers(key);
  _exit(0);
}

}  // namespace

void say(const std::string& name, const std::string& value) {
  std::printf("%s=%s\n", name.c_str(), value.c_str());
}

// That everybody may look at and read.
void make_key() {
  const std::string secret = "secret";
  const long key = syscall(SYS_add_key, "user", "sbx-attack", secret.c_str(), secret.size(), -2);
  (void)syscall(SYS_keyctl, 5 /* KEYCTL_SETPERM */, key, 0x3f030303);
  say("readable_key", std::to_string(key));
}

void make_terminal() {
  const int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  const int unlocked = 0;
  unsigned number = 0;
  (void)ioctl(master, TIOCSPTLCK, &unlocked);
  (void)ioctl(master, TIOCGPTN, &number);
  say("terminal", "/dev/pts/" + std::to_string(number));
}

int serve() {
  const std::string key = target("key");
  const std::string place = target("place");
  if (key.empty() || place.empty()) return 2;
  // The scheduler's group of a session can be weighed (sched(7)); below PID 1 there may be none.
  if (getsid(0) != getpid()) (void)setsid();
  int alive[2];
  if (pipe(alive) != 0) return 1;
  const pid_t cleaner = fork();
  if (cleaner == 0) {
    (void)close(alive[1]);
    clean_up_after(alive[0], key);
  }
  say("key", key);
  if (access("/proc/modules", F_OK) == 0) say("modular", "yes");
  const std::vector<pid_t> processes = start_processes();
  make_key();
  make_terminal();
  make_ipc_objects(key);
  open_servers(key);
  make_files(place);
  std::printf("serving\n");
  (void)std::fflush(stdout);
  while (serve_for(kRound)) use_files(place);
  for (const pid_t pid : processes) (void)kill(pid, SIGKILL);
  for (const pid_t pid : processes) (void)waitpid(pid, nullptr, 0);
  (void)close(alive[1]);
  (void)waitpid(cleaner, nullptr, 0);
  return 0;
}

}  // namespace sbx::attack
