// Why a finished program failed. A pure function: the truth (outcome, signal, what the kernel counted) first,
// output second.
#pragma once

#include "outcome/run_result.h"

namespace sbx {

// Fills in `failure` of the run and of its compile step, whose outcomes are decided; nothing where one ended
// well. What the program wrote never overrides what the kernel or the supervisor knows: it says why a program
// exited with a status or aborted itself, which is its own to say, and nothing else.
void classify_failures(RunResult& result);

// What `hint` is to print after the message of a run whose output nobody read; empty: it has said enough.
std::string hint_beside_message(const StepResult& result);

}  // namespace sbx
