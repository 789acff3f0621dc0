// A cgroup namespace whose root is a group that has no process of its own (cgroup_namespaces(7)).
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx {

// For setns(2). `group`: a directory of the v2 hierarchy, in which a process is for a moment.
Result<UniqueFd> cgroup_namespace_of(int group);

}  // namespace sbx
