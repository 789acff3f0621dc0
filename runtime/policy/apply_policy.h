// request × policy → what is granted, or a refusal. A pure function.
#pragma once

#include "base/limits.h"
#include "base/result.h"
#include "policy/policy.h"
#include "request/run_request.h"

namespace sbx {

// The limits in force: the request's where it asks, else the policy's. A request above a ceiling is refused
// with flag, value and ceiling; so is one without a value where only a ceiling exists. With a terminal, and a
// policy that says so, wall time is limited only as the request asks: it has no ceiling then, since not
// asking would give more. Where the request asks for nothing, and the language it names needs more than the
// policy's default to run at all (`needed`), it is given that up to the ceiling; where the policy names none
// the default stands.
// `asked_by` is how a limit is asked for in words of errors.
enum class LimitFlags : std::uint8_t { own, compile };
Result<LimitSet> grant_limits(const RunRequest& request, const Policy& policy, const LimitSet& needed = {},
                              LimitFlags asked_by = LimitFlags::own);

}  // namespace sbx
