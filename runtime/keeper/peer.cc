#include "keeper/peer.h"

#include <sys/socket.h>

#include <cerrno>

namespace sbx {

Result<PeerIdentity> identify_peer(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return fail(system_error("getsockopt", "SO_PEERCRED", errno));
  PeerIdentity peer{credentials.uid, credentials.gid, {}};
  // Of a user with more groups than there is room for, the kernel says how many there are.
  socklen_t bytes = 64 * sizeof(gid_t);
  peer.groups.resize(bytes / sizeof(gid_t));
  while (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &bytes) != 0) {
    if (errno != ERANGE) return fail(system_error("getsockopt", "SO_PEERGROUPS", errno));
    peer.groups.resize(bytes / sizeof(gid_t));
  }
  peer.groups.resize(bytes / sizeof(gid_t));
  return peer;
}

}  // namespace sbx
