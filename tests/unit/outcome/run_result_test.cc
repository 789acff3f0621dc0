#include "outcome/run_result.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <csignal>
#include <regex>

namespace sbx {
namespace {

RunResult ended(Outcome outcome) {
  RunResult result;
  result.outcome = outcome;
  return result;
}

RunResult exited(int code) {
  RunResult result = ended(Outcome::exited);
  result.exit_code = code;
  return result;
}

RunResult not_started(const char* step, int error_number) {
  RunResult result = ended(Outcome::setup_failed);
  result.step = step;
  result.step_error = error_number;
  return result;
}

TEST_CASE("every outcome has its status and its exit status") {
  struct Expected {
    Outcome outcome;
    const char* status;
    int exit_status;
  };
  // As in the table "Exit status" of the contract; without an exit code or a signal where one belongs.
  const std::vector<Expected> table{
      {Outcome::exited, "error", 125},        {Outcome::signaled, "error", 125},
      {Outcome::timed_out, "timeout", 124},   {Outcome::cpu_time_exceeded, "timeout", 124},
      {Outcome::out_of_memory, "error", 137}, {Outcome::output_limit, "error", 137},
      {Outcome::disk_limit, "error", 137},    {Outcome::violation, "error", 159},
      {Outcome::rejected, "error", 125},      {Outcome::cancelled, "error", 143},
      {Outcome::setup_failed, "error", 125},
  };
  REQUIRE(table.size() == kOutcomeNames.size());
  for (const Expected& row : table) {
    CAPTURE(outcome_name(row.outcome));
    CHECK(result_status(ended(row.outcome)) == row.status);
    CHECK(sbxrun_exit_status(ended(row.outcome)) == row.exit_status);
  }
}

TEST_CASE("a program's own exit code is passed on, and only 0 is completed") {
  CHECK(result_status(exited(0)) == "completed");
  CHECK(result_status(exited(1)) == "error");
  for (const int code : {0, 1, 2, 124, 125, 137, 255}) CHECK(sbxrun_exit_status(exited(code)) == code);
}

TEST_CASE("a signal is 128+n") {
  RunResult result = ended(Outcome::signaled);
  result.signal = SIGSEGV;
  CHECK(sbxrun_exit_status(result) == 139);
  result.signal = 64;
  CHECK(sbxrun_exit_status(result) == 192);
}

TEST_CASE("cancelled tells the interrupt key from a request to end") {
  RunResult result = ended(Outcome::cancelled);
  for (const auto& [signal, status] :
       {std::pair{SIGINT, 130}, {SIGTERM, 143}, {SIGHUP, 143}, {SIGKILL, 143}}) {
    result.signal = signal;
    CHECK(sbxrun_exit_status(result) == status);
  }
}

TEST_CASE("a program that cannot be executed is 126, one that is not there 127") {
  CHECK(sbxrun_exit_status(not_started("execve", ENOENT)) == 127);
  CHECK(sbxrun_exit_status(not_started("execve", EACCES)) == 126);
  CHECK(sbxrun_exit_status(not_started("execve", ENOEXEC)) == 126);
  CHECK(sbxrun_exit_status(not_started("execve", 0)) == 126);
  CHECK(sbxrun_exit_status(not_started("mount", ENOENT)) == 125);
}

TEST_CASE("signals are shown by name, those without one by number") {
  CHECK(signal_name(9) == "SIGKILL");
  CHECK(signal_name(SIGSYS) == "SIGSYS");
  CHECK(signal_name(64) == "SIG64");
  CHECK(signal_name(4711) == "SIG4711");
}

TEST_CASE("a timestamp is RFC 3339 in UTC with milliseconds, and close to now") {
  const std::string text = timestamp_now();
  CHECK(std::regex_match(text, std::regex(R"(20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d\.\d{3}Z)")));
  tm parsed{};
  REQUIRE(strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parsed) != nullptr);
  CHECK(std::abs(difftime(time(nullptr), timegm(&parsed))) <= 2);
}

}  // namespace
}  // namespace sbx
