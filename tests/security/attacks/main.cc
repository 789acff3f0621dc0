// Tries every attack, each in a process of its own, and prints NAME=WHAT CAME OF IT.
// attacks list                               the tables, a line each, tab-separated
// attacks serve key=NUMBER                   makes the targets, until its input ends
// attacks run [--outside] [NAME=VALUE…]      --outside leaves out what would harm the machine; targets by
// name
#include <sched.h>
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
constexpr int kNotTried = 254;      // no error has this number

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
    _exit(attack.attempt() < 0 ? errno : 0);
  }
  int status = 0;
  if (pid < 0 || waitpid(pid, &status, 0) != pid) return "not started: " + error_name(errno);
  while (waitpid(-1, nullptr, WNOHANG) > 0) {  // what it left as ours
  }
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) return "late";
  if (WIFSIGNALED(status)) return std::string("SIG") + sigabbrev_np(WTERMSIG(status));
  if (WEXITSTATUS(status) == kNotTried) return "not tried";
  return WEXITSTATUS(status) == 0 ? "ok" : error_name(WEXITSTATUS(status));
}

template <class F>
void for_each_attack(F use) {
  constexpr std::span<const Attack> (*kFamilies[])() = {
      namespace_attacks, kernel_attacks,        process_attacks,   credential_attacks,  socket_family_attacks,
      netlink_attacks,   socket_option_attacks, multicast_attacks, interface_attacks,   network_attacks,
      ipc_attacks,       user_limit_attacks,    init_attacks,      init_signal_attacks,
  };
  for (const auto family : kFamilies) {
    for (const Attack& attack : family()) use(attack);
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

volatile long victim_mark = 0;

void not_tried() { _exit(kNotTried); }
void try_own_network() { (void)unshare(CLONE_NEWNET); }
bool is_modular() { return !target("modular").empty(); }
bool spares_modules() { return target("modules") == "spare" && is_modular(); }

const std::string& target(const std::string& name) { return targets()[name]; }

long target_number(const std::string& name) {
  if (target(name).empty()) not_tried();  // 0 would be oneself
  return std::atol(target(name).c_str());
}

}  // namespace sbx::attack

int main(int argc, char** argv) { return sbx::attack::main_with(argc, argv); }
