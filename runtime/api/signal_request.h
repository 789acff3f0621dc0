// Which signal a client asks for.
#pragma once

#include "api/json_object.h"
#include "base/result.h"

namespace sbx::api {

// "signal": a name, with or without SIG, or its number. Only what is sent to programs to tell them something:
// not what the kernel says about their faults and limits, from which a result is read.
Result<int> parse_signal(const JsonObject& object);

}  // namespace sbx::api
