// Tries every attack, each in a process of its own, and prints NAME=WHAT CAME OF IT.
// attacks list                               the tables, a line each, tab-separated
// attacks serve key=NUMBER place=DIRECTORY   makes the targets, until its input ends
// attacks run [--outside] [FAMILY…] [NAME=VALUE…]
//                                            those of these families only; --outside leaves out what would
//                                            harm the machine; targets by name
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>

#include "attempts.h"

namespace sbx::attack {
namespace {

constexpr unsigned kPatience = 10;  // seconds

constexpr std::span<const Attack> (*kFamilies[])() = {
    namespace_attacks,
    namespace_entry_attacks,
    kernel_attacks,
    kernel_memory_attacks,
    administration_attacks,
    rights_attacks,
    priority_attacks,
    abi_attacks,
    argument_attacks,
    terminal_attacks,
    cgroup_attacks,
    debugging_attacks,
    process_attacks,
    credential_attacks,
    socket_family_attacks,
    netlink_attacks,
    socket_option_attacks,
    multicast_attacks,
    interface_attacks,
    network_attacks,
    ipc_attacks,
    user_limit_attacks,
    init_attacks,
    init_signal_attacks,
    proc_attacks,
    proc_victim_attacks,
    proc_sysctl_attacks,
    descriptor_attacks,
    mount_attacks,
    new_mount_attacks,
    device_attacks,
    file_attacks,
    file_rights_attacks,
    set_id_attacks,
};

std::map<std::string, std::string>& targets() {
  static std::map<std::string, std::string> all;
  return all;
}

std::string error_name(int number) {
  const char* name = strerrorname_np(number);
  return name != nullptr ? name : std::to_string(number);
}

// Shows a directory once more at its place, where its mount forbids devices or set-id programs: without that.
bool allow_everything_in(const std::string& directory) {
  return mount(directory.c_str(), directory.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0 &&
         mount(nullptr, directory.c_str(), nullptr, MS_BIND | MS_REMOUNT, nullptr) == 0;
}

// Outside: a directory of one's own in memory, and an /etc in which nothing that is done matters. All goes
// with the mount namespace, so with the attempt.
bool take_away_from_host() {
  const std::string own = target("outputs");
  const std::string layers = "lowerdir=/etc,upperdir=" + own + "/upper,workdir=" + own + "/work";
  return unshare(CLONE_NEWNS | CLONE_NEWUTS) == 0 &&
         mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr) == 0 && allow_everything_in("/tmp") &&
         allow_everything_in("/dev/shm") && allow_everything_in(target("place")) &&
         mount("none", own.c_str(), "tmpfs", 0, nullptr) == 0 && chdir(own.c_str()) == 0 &&
         mkdir("upper", 0755) == 0 && mkdir("work", 0755) == 0 && mkdir("start", 0755) == 0 &&
         mount("none", "/etc", "overlay", 0, layers.c_str()) == 0 && chdir("start") == 0;
}

std::string outcome_of(const Attack& attack, bool outside) {
  const pid_t pid = fork();
  if (pid == 0) {
    if (outside && !take_away_from_host()) _exit(EDEADLK);
    (void)alarm(kPatience);
    errno = 0;
    _exit(status_of(attack.attempt()));
  }
  int status = 0;
  if (pid < 0 || waitpid(pid, &status, 0) != pid) return "not started: " + error_name(errno);
  while (waitpid(-1, nullptr, WNOHANG) > 0) {  // what it left as ours
  }
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) return "late";
  if (WIFSIGNALED(status)) return std::string("SIG") + sigabbrev_np(WTERMSIG(status));
  if (WEXITSTATUS(status) == kInVain) return "in vain";
  if (WEXITSTATUS(status) == kNotTried) return "not tried";
  return WEXITSTATUS(status) == 0 ? "ok" : error_name(WEXITSTATUS(status));
}

template <class F>
void for_each_attack(F use) {
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

void run(const std::set<std::string>& families, bool outside) {
  for_each_attack([&](const Attack& attack) {
    const std::string family(attack.name.substr(0, attack.name.find('.')));
    if (!families.empty() && !families.contains(family)) return;
    if (outside && attack.outside.starts_with("not tried")) return;
    std::printf("%.*s=%s\n", static_cast<int>(attack.name.size()), attack.name.data(),
                outcome_of(attack, outside).c_str());
    (void)std::fflush(stdout);
  });
}

int main_with(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  std::set<std::string> families;
  bool outside = false;
  for (int i = 2; i < argc; ++i) {
    const std::string word = argv[i];
    const std::size_t equals = word.find('=');
    if (word == "--outside") {
      outside = true;
    } else if (equals != std::string::npos) {
      targets()[word.substr(0, equals)] = word.substr(equals + 1);
    } else {
      families.insert(word);
    }
  }
  if (command == "list") {
    for_each_attack(list);
    return 0;
  }
  if (command == "serve") return serve();
  if (command != "run") return 2;
  run(families, outside);
  return 0;
}

}  // namespace

const std::string& target(const std::string& name) { return targets()[name]; }

long target_number(const std::string& name) {
  if (target(name).empty()) not_tried();  // 0 would be oneself
  return std::atol(target(name).c_str());
}

}  // namespace sbx::attack

int main(int argc, char** argv) { return sbx::attack::main_with(argc, argv); }
