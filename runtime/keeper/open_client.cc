#include "keeper/open_client.h"

#include "os/socket.h"
#include "run/client_link.h"

namespace sbx {

std::optional<AskedBy> open_client(std::vector<UniqueFd> descriptors, bool from_api, std::int64_t token) {
  if (descriptors.size() != (from_api ? 2 : 1)) return std::nullopt;
  Result<PeerIdentity> peer = identify_peer(descriptors.back().get(), from_api ? token : -1);
  if (from_api) {
    if (peer) return AskedBy{std::move(descriptors.front()), std::move(*peer)};
    (void)ClientLink(descriptors.front().get()).answer_error(125, peer.error());
    return std::nullopt;
  }
  auto pair = os::seqpacket_pair();
  if (!peer || !pair) return std::nullopt;
  const int theirs = pair->second.get();
  if (!os::send_message(descriptors.back().get(), "c", std::span(&theirs, 1))) return std::nullopt;
  return AskedBy{std::move(pair->first), std::move(*peer)};
}

}  // namespace sbx
