// What belongs to somebody else outside, for the attackers to aim at.
#include "serve.h"

#include <dirent.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "attack.h"

namespace sbx::attack {
namespace {

constexpr int kMortals = 8;

// Inside, where few processes are, nobody has such a pid.
constexpr pid_t kForeign = 2'000;

// A process that only waits. It dies with this one.
pid_t start_victim() {
  const pid_t pid = fork();
  if (pid == 0) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setpgid(0, 0);
    victim_mark = getpid();
    while (true) (void)pause();
  }
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

std::vector<pid_t> start_processes() {
  std::vector<pid_t> processes{start_victim(), start_foreign()};
  say("victim", std::to_string(processes[0]));
  say("foreign", std::to_string(processes[1]));
  for (int i = 0; i < kMortals; ++i) {
    processes.push_back(start_victim());
    say("mortal" + std::to_string(i), std::to_string(processes.back()));
  }
  return processes;
}

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

void say(const std::string& name, const std::string& value) {
  std::printf("%s=%s\n", name.c_str(), value.c_str());
}

int serve() {
  const std::string key = target("key");
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
  say("highest_pid", std::to_string(highest_pid()));
  make_ipc_objects(key);
  open_servers(key);
  std::printf("serving\n");
  (void)std::fflush(stdout);
  run_servers();
  for (const pid_t pid : processes) (void)kill(pid, SIGKILL);
  for (const pid_t pid : processes) (void)waitpid(pid, nullptr, 0);
  (void)close(alive[1]);
  (void)waitpid(cleaner, nullptr, 0);
  return 0;
}

}  // namespace sbx::attack
