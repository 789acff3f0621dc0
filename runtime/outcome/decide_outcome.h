// The verdict: a pure function of how the run ended, what the kernel counted and what was granted.
#pragma once

#include <string>
#include <vector>

#include "outcome/run_result.h"
#include "supervise/ending.h"

namespace sbx {

// Of a run whose counters could not be read: at the end of its message.
inline constexpr const char* kCountersUnknown =
    "the kernel's counters could not be read: what is said of limits may lack some";

// What the kernel counted over the whole run.
struct RunFacts {
  std::uint64_t oom_kills = 0;
  std::uint64_t pids_limit_hits = 0;
  std::uint64_t throttled_periods = 0;
  bool counters_known = true;  // false: of the three above some could not be read
  std::uint64_t cpu_us = 0;
  std::uint64_t output_bytes = 0;
  std::vector<LimitHit> storage_hits;
};

// Fills in outcome, exit_code, signal, message, step and limits_hit of `result`, whose limits, usage and
// command are set. `hint` is added to the message of a command that was not found.
void decide_outcome(const Ending& ending, const RunFacts& facts, const std::string& hint, StepResult& result);

}  // namespace sbx
