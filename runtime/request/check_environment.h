#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "request/run_request.h"

namespace sbx {

// What no environment can have (environ(7)), and more than 4,096 variables. `what` names the flag or key.
Result<void> check_environment(std::string_view what, const std::vector<EnvironmentVariable>& variables);

}  // namespace sbx
