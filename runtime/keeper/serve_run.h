// One run for one client of a supervisor.
#pragma once

#include "base/unique_fd.h"
#include "keeper/peer.h"
#include "keeper/site.h"

namespace sbx {

// `client` speaks wire/client_protocol.h, and is who the kernel says.
void serve_run(const Site& site, const UniqueFd& client, const PeerIdentity& peer, bool from_api);

}  // namespace sbx
