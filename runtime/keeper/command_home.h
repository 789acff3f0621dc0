// What a living sandbox is to each command of it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "keeper/shell_session.h"
#include "keeper/site.h"
#include "language/runner.h"
#include "outcome/run_result.h"
#include "policy/policy.h"
#include "run/sandbox.h"
#include "supervise/sandbox_watch.h"

namespace sbx {

struct CommandHome {
  const Site& site;
  const Policy& policy;
  const RunRequest& request;            // of the sandbox
  const std::optional<Runner>& runner;  // of its image
  const PlanFacts& facts;
  const SandboxPlan& plan;
  const IdClaim& ids;
  const RunResult& about;  // what every result of it says of the sandbox
  Sandbox& sandbox;
  SandboxWatch& watch;
  // A number that no command of it had.
  std::function<std::uint32_t()> next_id;
  // The session of that name; a new one where there is none.
  std::function<Result<std::shared_ptr<ShellSession>>(const std::string& name)> session;
};

}  // namespace sbx
