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
#include "run/run_one.h"
#include "run/sandbox.h"

namespace sbx {

struct StepInput {
  const RunContext& context;
  const CgroupLayout& layout;
  const RunRequest& request;  // for its streams and hint
  const SandboxPlan& plan;
  const IdClaim& ids;
  const OpenSources& open;
  const std::string& run_id;
  std::optional<ReportFormat> test_report;  // that the program leaves at kReportPath
  bool last = true;                         // the starter is not used again by this run
  std::vector<UniqueFd> passed;
  Spill* spill = nullptr;  // told that the step begins, and where the output of the last one goes
};

struct StepReport : SandboxReport {
  std::optional<TestCounts> tests;
  int late_signal = 0;  // of the caller, after the program had ended; 0: none
};

// `result` gets how it ended; what it was and its limits are in it already. Error: it could not be started.
Result<void> run_step(StepInput input, StepResult& result, StepReport& report);

}  // namespace sbx
