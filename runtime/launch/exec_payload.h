// The command of an exec as init reads it (wire/init_protocol.h).
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "plan/sandbox_plan.h"

namespace sbx {

using CpuMask = std::array<std::uint64_t, 16>;  // 1024 CPUs

std::string make_exec_payload(const ExecPlan& exec, const CpuMask& cpus);

}  // namespace sbx
