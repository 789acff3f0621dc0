// Where the child of a launch attaches its mounts before it has a root.
#pragma once

#include "base/result.h"
#include "wire/spawner_protocol.h"

namespace sbx {

// Makes the directory `plan.stage` with every place that the plan's commands attach to below it; what is
// there stays.
Result<void> make_stage(const LaunchPlan& plan);

}  // namespace sbx
