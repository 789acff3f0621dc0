// What a peer keeps apart, seen from outside while a program runs in it: observed, not taken from its manual.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace sbx::bench {

// Of a process, as /proc shows it to us.
struct ProcessFacts {
  std::map<std::string, std::string> namespaces;  // "mnt" → "mnt:[4026531841]"
  std::map<std::string, std::string> status;      // the lines of /proc/PID/status
  std::string root;                               // device and inode of its root directory
  std::map<std::string, std::string> cgroups;  // hierarchy ("memory", "v2", …) → directory; "": out of sight
};

Result<ProcessFacts> read_facts(pid_t pid);

struct Isolation {
  // Always the same checks in the same order: "mount", "seccomp", "memory limit", …; true: kept apart from
  // us.
  std::vector<std::pair<std::string, bool>> checks;
  std::vector<std::string> cgroups;           // hierarchies in which it has a group of its own
  std::map<std::string, std::string> limits;  // as the kernel has them: "memory.max" → "536870912"
  std::string outside_uid;                    // on the host
};

// Compares with ourselves. Reads the limits of the groups that are not ours.
Isolation compare_facts(const ProcessFacts& theirs, const ProcessFacts& ours);

}  // namespace sbx::bench
