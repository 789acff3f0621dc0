#pragma once

#include "base/result.h"
#include "plan/sandbox_plan.h"

namespace sbx {

// The command as it will be exec'd: environment built from scratch (nothing of the caller's), paths to
// try for argv[0] from that environment's PATH, start directory, terminal.
Result<void> plan_exec(const RunRequest& request, const PlanFacts& facts, ExecPlan& exec);

}  // namespace sbx
