// A living sandbox as JSON, for the API: one object in one line of ASCII.
#pragma once

#include <string>

#include "outcome/run_result.h"
#include "plan/sandbox_plan.h"
#include "resource/cgroup.h"
#include "resource/storage_use.h"
#include "run/sandbox.h"

namespace sbx {

// `cgroup`: null when it is gone.
std::string describe_sandbox(const RunResult& about, const SandboxPlan& plan, const SandboxReport& report,
                             SandboxCgroup* cgroup, const StorageReport& storage,
                             const std::vector<std::string>& sessions);

}  // namespace sbx
