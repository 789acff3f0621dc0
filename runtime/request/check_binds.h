#pragma once

#include <cstddef>
#include <vector>

#include "base/result.h"
#include "request/run_request.h"

namespace sbx {

// Each is a detached mount that travels to the spawner in one message of at most os::kMaxDescriptors (250)
// descriptors, beside those of the sandbox itself: 2 for the launch, up to 6 of control groups, up to 7 other
// mounts.
inline constexpr std::size_t kMostBinds = 200;

// Whether the places inside can be given to binds: clean absolute paths, each once, nothing over what belongs
// to the sandbox itself; and not too many.
Result<void> check_binds(const std::vector<BindRequest>& binds);

}  // namespace sbx
