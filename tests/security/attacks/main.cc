// Tries every attack, each in a process of its own, and prints NAME=WHAT CAME OF IT.
// attacks list                               the tables, a line each, tab-separated
// attacks serve key=NUMBER                   makes the targets, until its input ends
// attacks run [--outside] [NAME=VALUE…]      --outside leaves out what would harm the machine; targets by
// name
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "attack.h"

namespace sbx::attack {
namespace {

constexpr unsigned kPatience = 10;  // seconds
constexpr int kInVain = 255;        // no error has this number

std::map<std::string, std::string>& targets() {
  static std::map<std::string, std::string> all;
  return all;
}

std::string error_name(int number) {
  const char* name = strerrorname_np(number);
  return name != nullptr ? name : std::to_string(number);
}

std::string outcome_of(const Attack& attack) {
  const pid_t pid = fork();
  if (pid == 0) {
    (void)alarm(kPatience);
    errno = 0;
    if (attack.attempt() >= 0) _exit(0);
    _exit(errno != 0 ? errno : kInVain);
  }
  int status = 0;
  if (pid < 0 || waitpid(pid, &status, 0) != pid) return "not started: " + error_name(errno);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) return "late";
  if (WIFSIGNALED(status)) return std::string("SIG") + sigabbrev_np(WTERMSIG(status));
  if (WEXITSTATUS(status) == kInVain) return "in vain";
  return WEXITSTATUS(status) == 0 ? "ok" : error_name(WEXITSTATUS(status));
}

template <class F>
void for_each_attack(F use) {
  for (const auto& family :
       {namespace_attacks(), namespace_entry_attacks(), kernel_attacks(), kernel_memory_attacks(),
        administration_attacks(), rights_attacks(), priority_attacks(), abi_attacks(), argument_attacks(),
        terminal_attacks(), cgroup_attacks(), debugging_attacks()}) {
    for (const Attack& attack : family) use(attack);
  }
}

void list(const Attack& attack) {
  for (const std::string_view field : {attack.name, attack.aim, attack.control, attack.inside, attack.strict,
                                       attack.permissive, attack.unfiltered, attack.outside}) {
    std::printf("%.*s\t", static_cast<int>(field.size()), field.data());
  }
  std::printf("\n");
}

int main_with(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  bool outside = false;
  for (int i = 2; i < argc; ++i) {
    const std::string word = argv[i];
    const std::size_t equals = word.find('=');
    if (word == "--outside") outside = true;
    if (equals != std::string::npos) targets()[word.substr(0, equals)] = word.substr(equals + 1);
  }
  if (command == "list") {
    for_each_attack(list);
    return 0;
  }
  if (command == "serve") return serve();
  if (command != "run") return 2;
  for_each_attack([outside](const Attack& attack) {
    if (outside && attack.outside.starts_with("not tried")) return;
    std::printf("%.*s=%s\n", static_cast<int>(attack.name.size()), attack.name.data(),
                outcome_of(attack).c_str());
    (void)std::fflush(stdout);
  });
  return 0;
}

}  // namespace

const std::string& target(const std::string& name) { return targets()[name]; }
long target_number(const std::string& name) { return std::atol(target(name).c_str()); }

}  // namespace sbx::attack

int main(int argc, char** argv) { return sbx::attack::main_with(argc, argv); }
