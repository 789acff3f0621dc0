#include "outcome/run_result.h"

#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/times.h"

namespace sbx {

std::string_view outcome_name(Outcome outcome) { return kOutcomeNames[static_cast<std::size_t>(outcome)]; }

std::string_view result_status(const StepResult& result) {
  switch (result.outcome) {
  case Outcome::exited: return result.exit_code == 0 ? "completed" : "error";
  case Outcome::timed_out:
  case Outcome::cpu_time_exceeded: return "timeout";
  default: return "error";
  }
}

int sbxrun_exit_status(const StepResult& result) {
  constexpr int kOurFailure = 125;
  switch (result.outcome) {
  // An ending without its number is our bug, never a success.
  case Outcome::exited: return result.exit_code.value_or(kOurFailure);
  case Outcome::signaled: return result.signal ? 128 + *result.signal : kOurFailure;
  case Outcome::timed_out:
  case Outcome::cpu_time_exceeded: return 124;
  case Outcome::out_of_memory:
  case Outcome::output_limit:
  case Outcome::disk_limit: return 128 + SIGKILL;
  case Outcome::violation: return 128 + SIGSYS;
  case Outcome::cancelled: return result.signal == SIGINT ? 128 + SIGINT : 128 + SIGTERM;
  case Outcome::setup_failed:
    // env(1): 127 when there is no such program, 126 when it is there but does not start.
    if (result.step == "execve") return result.step_error == ENOENT ? 127 : 126;
    return kOurFailure;
  case Outcome::rejected: break;
  }
  return kOurFailure;
}

std::string signal_name(int signal) {
  const char* name = sigabbrev_np(signal);
  return "SIG" + (name != nullptr ? std::string(name) : std::to_string(signal));
}

std::string timestamp_now() { return rfc3339(utc_ms()); }

}  // namespace sbx
