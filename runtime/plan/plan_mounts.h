#pragma once

#include <string_view>

#include "base/result.h"
#include "plan/sandbox_plan.h"
#include "policy/policy.h"

namespace sbx {

// The root file system of the sandbox: sources and mount commands of `plan`, from the bottom up.
// plan.limits are in force already.
Result<void> plan_mounts(const RunRequest& request, const Policy& policy, const PlanFacts& facts,
                         SandboxPlan& plan);

// Whether `inside` lies in a writable file system of the sandbox's own: nothing of the image shows through.
bool is_own_place(std::string_view inside);

}  // namespace sbx
