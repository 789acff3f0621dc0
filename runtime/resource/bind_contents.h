// What a directory shown read-only lets a program do all the same: read-only stops no connect(2) to a socket
// and no write to a FIFO. docs/decisions/0011.
#pragma once

#include <string>
#include <vector>

#include "request/run_request.h"

namespace sbx {

// A sentence for each read-only bind with a socket or FIFO at its top, as far as the caller can look. Not
// deeper: the whole tree would have to be read before each run.
std::vector<std::string> bind_warnings(const RunRequest& request);

}  // namespace sbx
