// What only root may ask a supervisor for.
#pragma once

#include "base/result.h"
#include "keeper/peer.h"
#include "request/run_request.h"

namespace sbx {

// Of anybody but the API: no run id is chosen. Of anybody: places are the supervisor's own. Of who is not
// root, and of the API whoever it speaks for, as JSON has no words for it: a policy only by name, nothing of
// the host's files, and no image is built. Of a token: its own policies and projects alone.
Result<void> check_peer_may(const RunRequest& request, const PeerIdentity& peer, bool from_api);

}  // namespace sbx
