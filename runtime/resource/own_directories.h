// Whether state and run directory are ours alone. Who else could change them could plant an image, a project
// or a journal, and what root then does by it.
#pragma once

#include <string>

#include "base/result.h"

namespace sbx {

// The directory and those in it that we make must belong to us, and group and others must not be able to
// write to them. One that is not there is good: it will be made so. Error: which it is, and the chown or
// chmod that helps.
Result<void> check_own_directories(const std::string& state_dir, const std::string& run_dir);

}  // namespace sbx
