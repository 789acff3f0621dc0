#include "roles.h"

#include <linux/sched.h>
#include <unistd.h>

#include <array>

namespace sbx::faults {

std::string_view role_name(Role role) {
  switch (role) {
  case Role::fork: return "fork";
  case Role::sbxrun: return "sbxrun";
  case Role::direct: return "direct";
  case Role::tool: return "tool";
  case Role::spawner: return "spawner";
  case Role::helper: return "helper";
  case Role::child: return "child";
  case Role::init: return "init";
  case Role::counter: return "counter";
  case Role::command: return "command";
  case Role::program: return "program";
  }
  return "";
}

Role cloned_by(Role parent, unsigned long flags) {
  switch (parent) {
  case Role::sbxrun:
  case Role::direct: return Role::fork;
  case Role::spawner: return (flags & CLONE_NEWUSER) != 0 ? Role::helper : Role::child;
  case Role::init: return (flags & CLONE_VM) != 0 ? Role::command : Role::counter;
  default: return parent;
  }
}

Role after_exec(Role before, std::string_view program) {
  if (program.starts_with("sbx-direct")) return Role::direct;
  if (program.starts_with("sbx-spawner")) return Role::spawner;
  switch (before) {
  case Role::fork:
  case Role::direct: return Role::tool;
  case Role::child: return Role::init;
  case Role::command: return Role::program;
  default: return before;
  }
}

std::string program_of(pid_t pid) {
  std::array<char, 4096> path{};
  const std::string link = "/proc/" + std::to_string(pid) + "/exe";
  const ssize_t size = readlink(link.c_str(), path.data(), path.size());
  const std::string_view whole(path.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  return std::string(whole.substr(whole.find_last_of('/') + 1));
}

}  // namespace sbx::faults
