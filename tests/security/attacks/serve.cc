// What belongs to somebody else outside, for the attackers to aim at.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "attack.h"

namespace sbx::attack {
namespace {

// A process that only waits.
pid_t start_victim() {
  const pid_t pid = fork();
  if (pid == 0) {
    while (true) (void)pause();
  }
  return pid;
}

void say(const std::string& name, const std::string& value) {
  std::printf("%s=%s\n", name.c_str(), value.c_str());
}

}  // namespace

int serve() {
  const pid_t victim = start_victim();
  say("key", target("key"));
  say("victim", std::to_string(victim));
  std::printf("serving\n");
  (void)std::fflush(stdout);
  char byte = 0;
  while (read(0, &byte, 1) > 0) {
  }
  (void)kill(victim, SIGKILL);
  return 0;
}

}  // namespace sbx::attack
