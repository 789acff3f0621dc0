// A sandbox that was made ahead, for nobody: what it takes to make it somebody's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "keeper/peer.h"
#include "language/runner.h"
#include "plan/sandbox_plan.h"
#include "policy/policy.h"
#include "request/run_request.h"
#include "run/settings.h"

namespace sbx {

struct AskedSandbox {
  RunRequest request;
  std::optional<PeerIdentity> peer;
};

// `descriptors`: the request; and who asks, or none: then it may have nothing that needs a right. Error: that
// one may not have it.
Result<AskedSandbox> read_asked(std::vector<UniqueFd> descriptors, std::int64_t token);

// Both may have changed since it was made: then the error is ESTALE.
Result<void> check_same_policy(const Settings& settings, const Policy& made_with);
Result<void> check_same_image(const Settings& settings, const std::string& name, const std::string& digest);

struct Adoption {
  const RunRequest& made_for;
  const RunRequest& asked;
  const Policy& policy;
  const std::optional<Runner>& runner;
  const PlanFacts& facts;
  const SandboxPlan& made;
};

// The plan that it has from then on: another hostname and environment. Error: the request needs a sandbox
// that is made in another way.
Result<SandboxPlan> plan_of_adopted(const Adoption& adoption);

// In the UTS namespace of that process (setns(2)), which belongs to us.
Result<void> set_hostname(int pidfd, const std::string& name);

}  // namespace sbx
