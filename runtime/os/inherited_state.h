// What a process hands on to those it starts.
#pragma once

#include "base/result.h"

namespace sbx::os {

// What every sandbox inherits starts from a known state, not from the caller's: address space randomisation
// on, no real-time scheduling (which no CPU quota bounds on cgroup v1), no protection from the out-of-memory
// killer. Where a call may raise nothing it fails, and then there was nothing to take away.
Result<void> reset_inherited_state();

}  // namespace sbx::os
