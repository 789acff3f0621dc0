// The kernel's word that programs of this host wait for memory (Documentation/accounting/psi.rst).
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx {

// Has POLLPRI, once in two seconds at most, when programs waited for a tenth of the time: what systemd takes
// for pressure, too (MEMORY_PRESSURE_WATCH). Error: a kernel without it.
Result<UniqueFd> watch_memory_pressure();

}  // namespace sbx
