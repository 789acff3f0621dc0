#include "outcome/decide_outcome.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <csignal>

namespace sbx {
namespace {

using Cause = Ending::Cause;

RunResult decide(const Ending& ending, const RunFacts& facts = {}, const std::string& hint = "") {
  RunResult result;
  result.command = {"prog"};
  result.limits.memory_bytes = 64ULL << 20U;
  result.limits.pids = 10;
  result.limits.wall_ms = 1000;
  result.limits.cpu_ms = 500;
  result.limits.output_bytes = 100;
  result.limits.milli_cpus = 500;
  result.usage.wall_ms = 1001;
  decide_outcome(ending, facts, hint, result);
  return result;
}

Ending exited(int status) {
  Ending ending;
  ending.cause = Cause::command_exited;
  ending.wait_status = status;
  return ending;
}

Ending because(Cause cause) {
  Ending ending;
  ending.cause = cause;
  return ending;
}

Ending failed(Cause cause, LaunchStep step, int error) {
  Ending ending = because(cause);
  ending.failure = {step, 0, error};
  return ending;
}

bool felt(const RunResult& result, const std::string& limit) {
  for (const LimitHit& hit : result.limits_hit) {
    if (hit.limit == limit) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a verdict without the kernel's counters says so") {
  RunFacts facts;
  facts.counters_known = false;
  const RunResult result = decide(exited(SIGKILL), facts);
  CHECK(result.outcome == Outcome::signaled);
  CHECK(result.message.find("counters could not be read") != std::string::npos);
  CHECK(decide(exited(SIGKILL)).message.find("counters") == std::string::npos);
  facts.oom_kills = 1;
  CHECK(decide(exited(SIGKILL), facts).message.ends_with(kCountersUnknown));
}

TEST_CASE("an init that ended without a word was killed only if it was") {
  Ending ending = because(Cause::init_died);
  ending.wait_status = SIGKILL;
  CHECK(decide(ending).message == "the sandbox's init was killed from outside");
  ending.wait_status = 1 << 8;
  CHECK(decide(ending).message ==
        "the sandbox's init ended with status 1 and did not tell how the program ended");
}

TEST_CASE("a program that exits keeps its code, whatever the code") {
  CHECK(decide(exited(3 << 8)).outcome == Outcome::exited);
  CHECK(decide(exited(3 << 8)).exit_code == 3);
  // 137 by itself is a number, not an out-of-memory.
  const RunResult result = decide(exited(137 << 8));
  CHECK(result.outcome == Outcome::exited);
  CHECK(result.limits_hit.empty());
}

TEST_CASE("a signal is not an exit, and SIGSYS is a violation") {
  CHECK(decide(exited(SIGSEGV)).outcome == Outcome::signaled);
  CHECK(decide(exited(SIGSEGV)).signal == SIGSEGV);
  CHECK_FALSE(decide(exited(SIGSEGV)).exit_code);
  CHECK(decide(exited(SIGKILL)).outcome == Outcome::signaled);
  CHECK(decide(exited(SIGSYS)).outcome == Outcome::violation);
}

TEST_CASE("the kernel's count of kills, and nothing else, makes an out-of-memory") {
  RunFacts facts;
  facts.oom_kills = 1;
  for (const Ending& ending :
       {exited(SIGKILL), exited(0), because(Cause::init_died), because(Cause::out_of_memory)}) {
    const RunResult result = decide(ending, facts);
    CHECK(result.outcome == Outcome::out_of_memory);
    CHECK(felt(result, "memory_bytes"));
    CHECK(result.limits_hit.size() == 1);
  }
  CHECK(decide(because(Cause::out_of_memory)).outcome == Outcome::out_of_memory);
  // What came first stays first.
  CHECK(decide(because(Cause::wall_time), facts).outcome == Outcome::timed_out);
}

TEST_CASE("each limit that ends a run names itself") {
  CHECK(decide(because(Cause::wall_time)).outcome == Outcome::timed_out);
  CHECK(felt(decide(because(Cause::wall_time)), "wall_ms"));
  CHECK(decide(because(Cause::cpu_time)).outcome == Outcome::cpu_time_exceeded);
  CHECK(felt(decide(because(Cause::cpu_time)), "cpu_ms"));
  CHECK(decide(because(Cause::output_limit)).outcome == Outcome::output_limit);
  CHECK(felt(decide(because(Cause::output_limit)), "output_bytes"));
  CHECK(decide(because(Cause::wall_time)).signal == SIGKILL);
}

TEST_CASE("the limit that ended a run is told with its unit, however small it is") {
  RunResult result;
  result.limits.memory_bytes = 1;
  decide_outcome(because(Cause::out_of_memory), {}, "", result);
  CHECK(result.message == "the sandbox used more than 1 byte of memory and was killed");
  CHECK(decide(because(Cause::output_limit)).message ==
        "the program wrote more than 100 bytes of output and was killed");
}

TEST_CASE("a limit that was felt without ending the run is told beside the outcome") {
  RunFacts facts;
  facts.pids_limit_hits = 3;
  facts.throttled_periods = 1;
  facts.storage_hits = {{"tmp_bytes", 5, 5}};
  const RunResult result = decide(exited(0), facts);
  CHECK(result.outcome == Outcome::exited);
  CHECK(felt(result, "pids"));
  CHECK(felt(result, "cpus"));
  CHECK(felt(result, "tmp_bytes"));
}

TEST_CASE("a command that cannot be started is a failed set-up at execve, with the hint") {
  const RunResult missing = decide(failed(Cause::exec_failed, LaunchStep::execve, ENOENT), {}, "use --here");
  CHECK(missing.outcome == Outcome::setup_failed);
  CHECK(missing.step == "execve");
  CHECK(sbxrun_exit_status(missing) == 127);
  CHECK(missing.message.find("use --here") != std::string::npos);
  CHECK(sbxrun_exit_status(decide(failed(Cause::exec_failed, LaunchStep::execve, EACCES))) == 126);
  CHECK(decide(exited(127 << 8), {}, "use --here").message.find("use --here") != std::string::npos);
  CHECK(decide(exited(1 << 8), {}, "use --here").message.find("use --here") == std::string::npos);
}

TEST_CASE("any other failure of ours exits with 125 and names its step") {
  const RunResult result = decide(failed(Cause::launch_failed, LaunchStep::mount, ENOMEM));
  CHECK(result.outcome == Outcome::setup_failed);
  CHECK(result.step == "mount");
  CHECK(sbxrun_exit_status(result) == 125);
  CHECK(result.message.find("ENOMEM") != std::string::npos);
  CHECK(sbxrun_exit_status(decide(because(Cause::init_died))) == 125);
  CHECK(decide(failed(Cause::launch_failed, LaunchStep::working_directory, ENOENT))
            .message.ends_with("does '' exist inside (--cwd)?"));
  Ending ours = because(Cause::supervisor_error);
  ours.text = "reading the cgroup failed";
  CHECK(decide(ours).step == "supervise");
  CHECK(decide(ours).message == ours.text);
}

TEST_CASE("a run that was cancelled says by what") {
  Ending ending = because(Cause::cancelled);
  ending.text = "the sandbox was destroyed";
  RunResult result;
  decide_outcome(ending, {}, "", result);
  CHECK(result.outcome == Outcome::cancelled);
  CHECK(result.message == "the run was cancelled: the sandbox was destroyed");
}

TEST_CASE("a cancelled run exits with 130 for SIGINT and 143 for the others") {
  Ending ending = because(Cause::cancelled);
  ending.signal = SIGINT;
  CHECK(sbxrun_exit_status(decide(ending)) == 130);
  ending.signal = SIGTERM;
  CHECK(sbxrun_exit_status(decide(ending)) == 143);
  ending.signal = SIGHUP;
  CHECK(sbxrun_exit_status(decide(ending)) == 143);
  CHECK_FALSE(decide(ending).exit_code);
  ending.command_ended = true;  // by its handler
  ending.wait_status = 7 << 8;
  CHECK(decide(ending).exit_code == 7);
  ending.signal = 0;
  CHECK(decide(ending).message.find("went away") != std::string::npos);
}

}  // namespace sbx
