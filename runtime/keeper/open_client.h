// A client that the API hands on: its socket, and who it is.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/unique_fd.h"
#include "keeper/peer.h"

namespace sbx {

struct AskedBy {
  UniqueFd client;  // speaks wire/client_protocol.h
  PeerIdentity peer;
};

// From the API: `client` and `peer`. A client itself: `peer`, over which it is sent its end of a new pair.
// Who cannot be identified was told so, where there was a way; nothing then.
std::optional<AskedBy> open_client(std::vector<UniqueFd> descriptors, bool from_api, std::int64_t token);

}  // namespace sbx
