// One program in a sandbox of its own: plan → launch → supervise → outcome. Its kernel objects are gone when
// it returns.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "outcome/run_result.h"
#include "plan/sandbox_plan.h"
#include "resource/cgroup.h"
#include "resource/id_pool.h"
#include "resource/prepare.h"
#include "run/run_one.h"

namespace sbx {

struct StepInput {
  const RunContext& context;
  const CgroupLayout& layout;
  const RunRequest& request;  // for its streams and hint
  const SandboxPlan& plan;
  const IdClaim& ids;
  const OpenSources& open;
  std::optional<ReportFormat> test_report;  // that the program leaves at kReportPath
  bool last = true;                         // the spawner is not used again by this run
  std::vector<UniqueFd> passed;
};

struct StepReport {
  std::optional<TestCounts> tests;
  std::vector<std::string> degradations;
  std::vector<std::pair<std::string, std::string>> controls;
  std::vector<std::string> notices;  // what could not be done for the record
  int late_signal = 0;               // of the caller, after the program had ended; 0: none
  bool clean = true;                 // false: something is left for the next start to sweep
};

// `result` gets how it ended; what it was and its limits are in it already. Error: it could not be started.
Result<void> run_step(StepInput input, StepResult& result, StepReport& report);

}  // namespace sbx
