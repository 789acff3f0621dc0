// One request for files from its helper's start to its answer. What comes and goes is never held as a whole,
// and a slow end slows down the other one.
#pragma once

#include <memory>

#include "api/call.h"
#include "api/live_sandbox.h"
#include "http/loop.h"
#include "wire/files_protocol.h"

namespace sbx::api {

// `sandbox` may be asked for files. The call is answered, now or later.
void begin_file_transfer(http::Loop& loop, const SharedCall& call,
                         const std::shared_ptr<LiveSandbox>& sandbox, FileRequest request);

}  // namespace sbx::api
