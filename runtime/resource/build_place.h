// The place that the compile step of a run fills and its program reads: a file system in memory, which their
// two sandboxes mount one after the other.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/limits.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx {

// As large as `limits` allow for temporary files, owned by `owner`. In a mount namespace of the caller's own
// (os/mount.h), since only an attached mount can be copied (before Linux 6.15; open_tree(2)).
Result<UniqueFd> make_build_place(const std::string& run_dir, const LimitSet& limits, uid_t owner);

}  // namespace sbx
