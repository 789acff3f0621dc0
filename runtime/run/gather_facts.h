// What a plan depends on besides request and policy, as this host and the disk have it.
#pragma once

#include "base/result.h"
#include "plan/sandbox_plan.h"
#include "policy/policy.h"
#include "request/run_request.h"
#include "run/settings.h"

namespace sbx {

// The caller's hard limits, and which binds are files. Error: a bind of something that is not there.
Result<void> gather_caller_facts(const RunRequest& request, PlanFacts& facts);

// All facts for a plan that is not carried out: nothing is made, held or changed. What only root can see is
// as a new one would be.
Result<PlanFacts> look_up_facts(const Settings& settings, const Policy& policy, const RunRequest& request);

}  // namespace sbx
