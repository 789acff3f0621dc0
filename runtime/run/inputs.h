// What a sandbox is made of besides request and policy, held while it lives: its image, project and binds.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "os/file_rights.h"
#include "plan/sandbox_plan.h"
#include "policy/policy.h"
#include "request/run_request.h"
#include "resource/bind_sources.h"
#include "resource/projects.h"
#include "run/settings.h"

namespace sbx {

struct Inputs {
  PlanFacts facts;
  std::string image_digest;
  std::string language;
  UniqueFd image_in_use;
  Project project;
  BindSources binds;
};

// `client`: as gather_caller_facts has it. `degradations` gets what the policy allows to be missing and is.
Result<Inputs> gather_inputs(const Settings& settings, const Policy& policy, const RunRequest& request,
                             const std::optional<os::FileRights>& client, const LimitSet& granted,
                             std::vector<std::string>& degradations);

}  // namespace sbx
