#include "plan/make_plan.h"

#include <sys/resource.h>

#include <algorithm>
#include <array>

#include "base/names.h"
#include "plan/plan_environment.h"
#include "plan/plan_mounts.h"

namespace sbx {
namespace {

constexpr std::uint64_t kStackBytes = 8ULL << 20U;
constexpr std::uint64_t kLockedBytes = 8ULL << 20U;  // the kernel's default since 5.16
constexpr std::uint64_t kQueueBytes = 819'200;       // the kernel's default

std::vector<ResourceLimit> plan_resource_limits(const LimitSet& limits, const PlanFacts& facts) {
  std::vector<ResourceLimit> list;
  // 1 and not 0: the kernel ignores 0 where core_pattern is a pipe to a program of the host (core(5)).
  list.push_back({RLIMIT_CORE, 1, 1});
  list.push_back({RLIMIT_RTPRIO, 0, 0});
  list.push_back({RLIMIT_NICE, 0, 0});
  list.push_back({RLIMIT_STACK, std::min(kStackBytes, facts.stack_hard), facts.stack_hard});
  list.push_back({RLIMIT_MEMLOCK, std::min(kLockedBytes, facts.memlock_hard),
                  std::min(kLockedBytes, facts.memlock_hard)});
  list.push_back({RLIMIT_MSGQUEUE, std::min(kQueueBytes, facts.msgqueue_hard),
                  std::min(kQueueBytes, facts.msgqueue_hard)});
  if (limits.nofile) list.push_back({RLIMIT_NOFILE, *limits.nofile, *limits.nofile});
  if (limits.fsize_bytes) list.push_back({RLIMIT_FSIZE, *limits.fsize_bytes, *limits.fsize_bytes});
  return list;
}

// Whether the run writes anything to the thrown-away file system that `disk` bounds.
bool writes_to_disk_scratch(const RunRequest& request, const Policy& policy, const PlanFacts& facts) {
  const auto copies = [](const BindRequest& bind) { return bind.mode == BindMode::copy_on_write; };
  const bool copies_of_image = !facts.writable.empty();
  return !(keeps_workspace(request) || branches_workspace(request)) || policy.writable_root ||
         copies_of_image || (request.here && copies(*request.here)) ||
         std::ranges::any_of(request.binds, copies);
}

// The result shows as limits what this run is bound by: not one of which there is nothing to bound.
void drop_idle_limits(const RunRequest& request, const Policy& policy, const PlanFacts& facts,
                      LimitSet& limits) {
  if (!request.limits.output_bytes && !captures_output(request)) limits.output_bytes.reset();
  if (!writes_to_disk_scratch(request, policy, facts) && !facts.project_bytes) limits.disk_bytes.reset();
}

}  // namespace

Result<SandboxPlan> make_plan(const RunRequest& request, const LimitSet& granted, const Policy& policy,
                              const PlanFacts& facts, std::string sandbox_id) {
  const bool runs = request.action != RequestAction::keep;
  if (runs && request.command.empty() && !facts.language) return fail("no command to run");
  SandboxPlan plan;
  plan.sandbox_id = std::move(sandbox_id);
  plan.hostname = "sandbox";
  if (!request.hostname.empty()) {
    TRY(check_hostname("--hostname", request.hostname));
    plan.hostname = request.hostname;
  }
  plan.limits = granted;
  // Lowered to what the host allows and shown so, never raised.
  plan.limits.nofile = std::min(granted.nofile.value_or(facts.nofile_hard), facts.nofile_hard);
  if (*plan.limits.nofile < kLeastFiles) {
    return fail("a sandbox needs at least " + std::to_string(kLeastFiles) +
                " open files per process, and the caller's hard limit is " +
                std::to_string(*plan.limits.nofile) + "; raise it (ulimit -Hn 4096)");
  }
  // A project that is written on its own disk has its own limits; what is thrown away beside it gets the
  // same.
  if ((keeps_workspace(request) || branches_workspace(request)) && facts.project_bytes) {
    plan.limits.disk_bytes = facts.project_bytes;
    plan.limits.inodes = facts.project_inodes;
  }
  plan.seccomp = policy.seccomp;
  plan.report_denials = policy.report_denials;
  plan.resource_limits = plan_resource_limits(plan.limits, facts);
  TRY(plan_mounts(request, policy, facts, plan));
  if (runs) TRY(plan_exec(request, facts, plan.exec));
  drop_idle_limits(request, policy, facts, plan.limits);
  return plan;
}

}  // namespace sbx
