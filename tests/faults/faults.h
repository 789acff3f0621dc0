// What goes wrong in the tests of faults, and in which runs.
#pragma once

#include <string>
#include <vector>

namespace sbx::test {

// A run whose right result is known.
struct FaultyRun {
  std::string name;
  std::vector<std::string> arguments;  // of sbxrun; its directory is that of the test
  std::string output;                  // right when it exits with 0; of a run with --json, in its object
};

std::vector<FaultyRun> faulty_runs();

// One fault: RUN:ROLE:CALL:N:WHAT, what SBX_TEST_FAULTS takes. WHAT is SIGKILL or an errno, which the Nth
// such call of the process meets.
struct FaultCase {
  std::string run;
  std::string role;
  std::string call;
  std::string index;
  std::string what;

  [[nodiscard]] std::string text() const { return run + ":" + role + ":" + call + ":" + index + ":" + what; }
};

// Whether the call is a part of the containment, so that a run must not go on without it.
bool is_containment(const FaultCase& fault);

FaultCase parse_fault(const std::string& text);

// What `report`, written by `inject REPORT list`, has to offer: each call with SIGKILL and with every errno
// that is plausible for it.
std::vector<FaultCase> faults_in(const std::string& report, const std::string& run);

}  // namespace sbx::test
