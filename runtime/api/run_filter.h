// The query of a list of runs.
#pragma once

#include "api/run_record.h"
#include "http/message.h"

namespace sbx::api {

// Error: it names what is wrong.
Result<RunFilter> parse_run_filter(const http::Request& request);

}  // namespace sbx::api
