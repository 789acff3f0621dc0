// What a process of a run is, told from whose copy it is and what it execs.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace sbx::faults {

enum class Role {
  fork,     // a copy of sbxrun or sbx-direct before its exec
  sbxrun,   // the command that is traced
  direct,   // sbx-direct
  tool,     // a program of the host that sbx-direct runs
  spawner,  // sbx-spawner
  helper,   // holds a user namespace for the spawner
  child,    // cloned by the spawner, until it execs init
  init,     // sbx-init
  counter,  // the copy of init that counts denials
  command,  // cloned by init, until it execs the program
  program,  // what runs in the sandbox: not stopped at its calls
};

std::string_view role_name(Role role);

// What a process of `parent` is that was cloned with `flags`.
Role cloned_by(Role parent, unsigned long flags);

// What `before` is after it exec'd `program` (the last part of its path).
Role after_exec(Role before, std::string_view program);

// The last part of the path of what `pid` runs; of a file in memory "memfd:" and its name.
std::string program_of(pid_t pid);

}  // namespace sbx::faults
