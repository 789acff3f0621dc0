#include "outcome/decide_outcome.h"

#include <sys/wait.h>

#include <cerrno>
#include <csignal>

#include "base/result.h"
#include "base/units.h"

namespace sbx {
namespace {

void hit(StepResult& result, std::string_view name, std::optional<std::uint64_t> reached) {
  for (const LimitField& field : kLimits) {
    if (field.name != name) continue;
    const auto value = result.limits.*field.member;
    if (value) result.limits_hit.push_back({std::string(name), *value, reached});
  }
}

std::string limit_text(const StepResult& result, std::string_view key) {
  const LimitField* field = find_limit(key);
  const auto value = result.limits.*field->member;
  return value ? limit_with_unit(*field, *value) : "its limit";
}

void end_with(StepResult& result, Outcome outcome, std::string message) {
  result.outcome = outcome;
  result.message = std::move(message);
}

// What a shell, or an interpreter that cannot open its script, ends with.
bool says_not_found(int code) { return code == 126 || code == 127 || code == 2; }

void ended_by_itself(int status, const std::string& hint, StepResult& result) {
  if (WIFEXITED(status)) {
    result.exit_code = WEXITSTATUS(status);
    std::string text = result.program + " exited with status " + std::to_string(WEXITSTATUS(status));
    if (!hint.empty() && says_not_found(WEXITSTATUS(status))) text += "; " + hint;
    end_with(result, Outcome::exited, std::move(text));
    return;
  }
  const int number = WTERMSIG(status);
  result.signal = number;
  if (number == SIGXFSZ) hit(result, "fsize_bytes", result.limits.fsize_bytes);
  // SIGSYS is what the kernel sends for a system call that the filter kills on (seccomp(2)), but a program
  // can send it to itself: no more is said than that.
  if (number == SIGSYS) {
    end_with(result, Outcome::violation,
             result.program + " was ended by SIGSYS, as after a forbidden system call");
  } else {
    end_with(result, Outcome::signaled, result.program + " was ended by " + signal_name(number));
  }
}

void not_started(const LaunchFailure& failure, const std::string& hint, StepResult& result) {
  result.step = launch_step_name(failure.step);
  result.step_error = failure.error_number;
  const std::string command = result.command.empty() ? "" : result.command.front();
  if (failure.step == LaunchStep::execve) {
    const bool missing = failure.error_number == ENOENT || failure.error_number == ENOTDIR;
    std::string text =
        "'" + command + "' " + (missing ? "was not found" : "could not be executed") + " in the sandbox: ";
    text += failure.error_number == ELIBACC  // what init says for ENOENT of a file that is there
                ? "the interpreter or loader that it names is missing there"
                : errno_text(failure.error_number) + " (" + errno_name(failure.error_number) + ")";
    if (!hint.empty()) text += "; " + hint;
    end_with(result, Outcome::setup_failed, std::move(text));
    return;
  }
  std::string text = "the sandbox could not be set up: step '" + result.step + "'";
  if (failure.index > 0) text += " (number " + std::to_string(failure.index) + ")";
  text += failure.error_number != 0
              ? ": " + errno_text(failure.error_number) + " (" + errno_name(failure.error_number) + ")"
              : ": killed from outside";
  if (failure.step == LaunchStep::working_directory)
    text += "; does '" + result.cwd + "' exist inside (--cwd)?";
  end_with(result, Outcome::setup_failed, std::move(text));
}

// The out-of-memory killer takes the whole group, so any kill by it is the end of the run; a program that was
// ended by something else first keeps that ending.
bool memory_ended_it(const Ending& ending, const RunFacts& facts) {
  if (ending.cause == Ending::Cause::out_of_memory) return true;
  return facts.oom_kills > 0 &&
         (ending.cause == Ending::Cause::command_exited || ending.cause == Ending::Cause::init_died);
}

void note_limits_felt(const RunFacts& facts, StepResult& result) {
  if (facts.oom_kills > 0) hit(result, "memory_bytes", result.usage.memory_peak_bytes);
  if (facts.pids_limit_hits > 0) hit(result, "pids", result.usage.pids_peak);
  if (facts.throttled_periods > 0) hit(result, "cpus", std::nullopt);
  for (const LimitHit& hit : facts.storage_hits) result.limits_hit.push_back(hit);
  if (!facts.counters_known) result.message += std::string("; ") + kCountersUnknown;
}

}  // namespace

void decide_outcome(const Ending& ending, const RunFacts& facts, const std::string& hint,
                    StepResult& result) {
  using Cause = Ending::Cause;
  if (memory_ended_it(ending, facts)) {
    result.signal = SIGKILL;
    end_with(result, Outcome::out_of_memory,
             "the sandbox used more than " + limit_text(result, "memory") + " of memory and was killed");
    if (facts.oom_kills == 0) hit(result, "memory_bytes", result.usage.memory_peak_bytes);
    note_limits_felt(facts, result);
    return;
  }
  if (ending.cause == Cause::wall_time || ending.cause == Cause::cpu_time ||
      ending.cause == Cause::output_limit) {
    result.signal = SIGKILL;
  }
  switch (ending.cause) {
  case Cause::command_exited: ended_by_itself(ending.wait_status, hint, result); break;
  case Cause::exec_failed:
  case Cause::launch_failed: not_started(ending.failure, hint, result); break;
  case Cause::init_died:
    result.step = "init";
    end_with(result, Outcome::setup_failed,
             WIFEXITED(ending.wait_status)
                 ? "the sandbox's init ended with status " + std::to_string(WEXITSTATUS(ending.wait_status)) +
                       " and did not tell how the program ended"
                 : "the sandbox's init was killed from outside");
    break;
  case Cause::wall_time:
    hit(result, "wall_ms", result.usage.wall_ms);
    end_with(result, Outcome::timed_out,
             result.program + " ran longer than " + limit_text(result, "wall-time") +
                 " of wall time and was killed");
    break;
  case Cause::cpu_time:
    hit(result, "cpu_ms", facts.cpu_us / 1000);
    end_with(
        result, Outcome::cpu_time_exceeded,
        result.program + " used more than " + limit_text(result, "cpu-time") + " of CPU time and was killed");
    break;
  case Cause::output_limit:
    hit(result, "output_bytes", facts.output_bytes);
    end_with(result, Outcome::output_limit,
             result.program + " wrote more than " + limit_text(result, "output-limit") +
                 " of output and was killed");
    break;
  case Cause::cancelled:
    if (ending.command_ended && WIFEXITED(ending.wait_status))
      result.exit_code = WEXITSTATUS(ending.wait_status);
    if (ending.signal != 0) result.signal = ending.signal;
    end_with(result, Outcome::cancelled,
             !ending.text.empty() ? "the run was cancelled: " + ending.text
             : ending.signal != 0 ? "the run was cancelled by " + signal_name(ending.signal)
                                  : "the run was cancelled because its caller went away");
    break;
  case Cause::out_of_memory:  // above
  case Cause::supervisor_error:
    result.step = "supervise";
    end_with(result, Outcome::setup_failed, ending.text);
    break;
  }
  note_limits_felt(facts, result);
}

}  // namespace sbx
