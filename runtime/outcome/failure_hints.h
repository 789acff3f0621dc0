// What can be done about a failure, in one or two sentences with the names in it.
#pragma once

#include <string>

#include "outcome/failure.h"
#include "outcome/read_output.h"
#include "outcome/run_result.h"

namespace sbx {

// What hints need to know of the run around a step.
struct HintFacts {
  std::string image;   // its name
  std::string action;  // on code of a language; empty: a command was run
  bool network_is_loopback = false;
};

// Of a failure that the output tells.
std::string hint_of_output(const OutputFinding& finding, const StepResult& step, const HintFacts& facts);

// Of a failure whose class comes from the outcome, a limit that was felt or the exit status: nothing in it
// was written by the program.
std::string hint_of_truth(FailureClass kind, const StepResult& step, const HintFacts& facts);

// Of the first of `names` that was felt; nullptr: none.
const LimitHit* felt_limit(const StepResult& step, std::initializer_list<std::string_view> names);

}  // namespace sbx
