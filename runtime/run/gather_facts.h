// What a plan depends on besides request and policy, as this host and the disk have it.
#pragma once

#include "base/result.h"
#include "os/file_rights.h"
#include "plan/sandbox_plan.h"
#include "policy/policy.h"
#include "request/run_request.h"
#include "resource/bind_sources.h"
#include "resource/projects.h"
#include "run/settings.h"

namespace sbx {

// The caller's hard limits, and which binds are files. `facts` has the image already. Errors, the same for
// who runs and for who only asks: a bind or --here of what is not there, is neither a directory nor a regular
// file, or cannot be id-mapped; a place inside that the image has no room for.
// `client`: who asks to be shown binds, and gets them with that one's rights below what the policy grants;
// missing: root. `sources` gets the binds, open.
Result<void> gather_caller_facts(const RunRequest& request, const Policy& policy,
                                 const std::optional<os::FileRights>& client, PlanFacts& facts,
                                 BindSources& sources);

// All facts for a plan that is not carried out: nothing is made, held or changed. What only root can see is
// as a new one would be.
Result<PlanFacts> look_up_facts(const Settings& settings, const Policy& policy, const RunRequest& request,
                                const std::optional<os::FileRights>& client, const LimitSet& granted);

// What this run wants of its project, and what a plan has to know of it.
ProjectWish project_wish(const RunRequest& request, const Policy& policy, const LimitSet& granted);
void note_project(const Project& project, PlanFacts& facts);

}  // namespace sbx
