// What only root may ask a supervisor for.
#pragma once

#include <optional>

#include "base/result.h"
#include "keeper/peer.h"
#include "os/file_rights.h"
#include "request/run_request.h"

namespace sbx {

// Of anybody but the API: no run id is chosen. Of anybody: places are the supervisor's own. Of who is not
// root, and of the API whoever it speaks for, as JSON has no words for it: a policy only by name, and no
// image is built. Of a token: its own policies and projects alone, and nothing of the host's files.
Result<void> check_peer_may(const RunRequest& request, const PeerIdentity& peer, bool from_api);

// Whose rights count for its binds (resource/granted_binds.h); missing: root's, which may show everything.
std::optional<os::FileRights> rights_for_binds(const PeerIdentity& peer, bool from_api);

}  // namespace sbx
