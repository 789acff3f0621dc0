#pragma once

#include <vector>

#include "base/result.h"
#include "request/run_request.h"

namespace sbx {

// Whether the places inside can be given to binds: clean absolute paths, each once, nothing over what belongs
// to the sandbox itself.
Result<void> check_binds(const std::vector<BindRequest>& binds);

}  // namespace sbx
