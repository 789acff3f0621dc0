// A mount namespace for programs that cannot cope with a hybrid cgroup layout.
#pragma once

#include <optional>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx::bench {

// A copy of our mount namespace in which an empty tmpfs covers the cgroup v2 mount of a hybrid host, so that
// only the v1 hierarchies are seen: crun 1.8 refuses to start where it meets both. Empty: this host has no
// hybrid layout. It lives as long as the descriptor.
Result<std::optional<UniqueFd>> hide_cgroup_v2();

}  // namespace sbx::bench
