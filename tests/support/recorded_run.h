// Runs of the corpus of failures (tests/failures), as they were recorded: read back into results.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "outcome/run_result.h"

namespace sbx::test {

struct RecordedRun {
  std::string id;
  std::string part;  // "tuned": the rules were made with it in view; "held-out"
  std::string want;  // the class on its label; empty: it ended well
  RunResult result;
};

// A line of tests/failures/recorded. Throws where it is none.
RecordedRun read_recorded_run(const std::string& line);

// "none" of a run that ended well.
std::string class_of(const RunResult& result);

}  // namespace sbx::test
