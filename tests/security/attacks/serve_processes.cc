// Processes of the host.
#include <dirent.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>

#include "attempts.h"
#include "serve.h"

namespace sbx::attack {
namespace {

constexpr int kMortals = 8;

// Inside, where few processes are, nobody has such a pid.
constexpr pid_t kForeign = 2'000;

[[noreturn]] void wait_for_ever() {
  while (true) (void)pause();
}

// With a socket at the number where init has its own.
pid_t start_victim() {
  const pid_t pid = start_child();
  if (pid == 0) {
    (void)setpgid(0, 0);
    (void)dup2(socket(AF_UNIX, SOCK_STREAM, 0), 3);
    victim_mark = getpid();
    wait_for_ever();
  }
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
  (void)close(ready[0]);
  return pid;
}

pid_t start_foreign() {
  pid_t pid = start_victim();
  while (pid > 0 && pid < kForeign) {
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, nullptr, 0);
    pid = start_victim();
  }
  (void)setpgid(pid, pid);  // before anybody looks
  return pid;
}

long highest_pid() {
  long highest = 0;
  DIR* list = opendir("/proc");
  while (const dirent* entry = list != nullptr ? readdir(list) : nullptr) {
    highest = std::max(highest, std::atol(entry->d_name));
  }
  if (list != nullptr) (void)closedir(list);
  return highest;
}

}  // namespace

std::vector<pid_t> start_processes() {
  std::vector<pid_t> processes;
  const auto add = [&](const std::string& name, pid_t pid) {
    processes.push_back(pid);
    say(name, std::to_string(pid));
  };
  add("victim", start_victim());
  add("apart", start_apart());
  add("foreign", start_foreign());
  for (int i = 0; i < kMortals; ++i) add("mortal" + std::to_string(i), start_victim());
  say("highest_pid", std::to_string(highest_pid()));
  return processes;
}

}  // namespace sbx::attack
