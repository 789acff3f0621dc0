// Who may ask what about projects: a user who may connect may have to do with each, as with runs; a token
// with its own, as far as its scope goes.
#pragma once

#include <string>

#include "base/result.h"
#include "keeper/peer.h"
#include "wire/project_protocol.h"

namespace sbx {

bool is_for_peer(const std::string& project, const PeerIdentity& peer);

// Error: EACCES.
Result<void> check_asker_may(const ProjectQuestion& question, const PeerIdentity& peer);

}  // namespace sbx
