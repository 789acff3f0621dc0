// Sockets that were open when we were started (sd_listen_fds(3)).
#pragma once

#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx {

// Listening Unix sockets from systemd, or whoever speaks its protocol; none, if none are for us. Call it
// once, early. Error: one that is something else, which is named.
Result<std::vector<UniqueFd>> take_passed_sockets();

}  // namespace sbx
