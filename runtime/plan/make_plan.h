#pragma once

#include "base/result.h"
#include "plan/sandbox_plan.h"
#include "policy/policy.h"
#include "request/run_request.h"

namespace sbx {

// request × granted limits × policy × facts → plan. Pure. Errors: a path inside that cannot be used, an
// environment name that is none, a limit below what a sandbox needs.
Result<SandboxPlan> make_plan(const RunRequest& request, const LimitSet& granted, const Policy& policy,
                              const PlanFacts& facts, std::string sandbox_id);

// For people: the plan of --dry-run, and the words of --explain.
std::string describe_plan(const SandboxPlan& plan, const Policy& policy, const RunRequest& request,
                          const PlanFacts& facts);
std::string explain_plan(const SandboxPlan& plan, const Policy& policy, const RunRequest& request,
                         const PlanFacts& facts);

}  // namespace sbx
