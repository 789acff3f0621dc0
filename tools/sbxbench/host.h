// The machine that a report is about, and what else it had to do.
#pragma once

#include <string>

#include "base/result.h"

namespace sbx::bench {

struct HostFacts {
  long cpus = 0;          // that this process may use
  std::string processor;  // "": the kernel does not say
  std::string kernel;
  std::string cgroups;  // "v2", "v1", "hybrid" or "none"
};
HostFacts read_host_facts();

// Averages over 1, 5 and 15 minutes as in /proc/loadavg: "0.42 0.50 0.61".
std::string read_load();

}  // namespace sbx::bench
