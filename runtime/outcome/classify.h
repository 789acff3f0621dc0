// Why a finished program failed. A pure function: the truth (outcome, signal, what the kernel counted) first,
// output second.
#pragma once

#include <functional>

#include "base/result.h"
#include "outcome/read_output.h"
#include "outcome/run_result.h"

namespace sbx {

// How the ends of the output are read: read_output, or that where a fault of it costs nothing. Error: they
// could not be read.
using OutputReader =
    std::function<Result<std::optional<OutputFinding>>(const OutputEnds& ends, std::optional<int> exit_code)>;

// Fills in `failure` of the run and of its compile step, whose outcomes are decided; nothing where one ended
// well. What the program wrote never overrides what the kernel or the supervisor knows: it says why a program
// exited with a status or aborted itself, which is its own to say, and nothing else.
void classify_failures(RunResult& result, const OutputReader& reader = read_output);

// What can be done about a limit that ended the run or that it felt: a line below its message; else empty.
std::string hint_beside_message(const StepResult& result);

}  // namespace sbx
