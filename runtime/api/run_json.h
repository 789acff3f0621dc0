// A run as a client sees it.
#pragma once

#include "api/call.h"
#include "api/run.h"

namespace sbx::api {

// Its result; before its end what is known of it. Of a long stream only where it is.
OrderedJson run_json(const Run& run, bool with_output);

}  // namespace sbx::api
