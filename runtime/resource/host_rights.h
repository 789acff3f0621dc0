// The capabilities that a direct run uses of its host.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace sbx {

// The effective set of this process, by bit (capabilities(7)).
std::uint64_t effective_capabilities();

// Those that a run needs and `set` lacks: "SYS_ADMIN, MKNOD"; empty: none. `cgroup_kill`: the host kills a
// sandbox by its cgroup, and nobody needs KILL.
std::string lacking_capabilities(std::uint64_t set, bool cgroup_kill);

// Refuses a hard limit of open files below kLeastHostFiles, in the words of the doctor.
Result<void> check_host_files();

// A sentence for each setting of the host that takes a control from every run, where no run is refused for
// it.
std::vector<std::string> setting_warnings();

}  // namespace sbx
