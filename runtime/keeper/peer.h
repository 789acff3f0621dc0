// Who asks, as the kernel knows: the credentials that a client had when it connected (unix(7), SO_PEERCRED).
#pragma once

#include <sys/types.h>

#include <vector>

#include "base/result.h"

namespace sbx {

struct PeerIdentity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // supplementary
};

Result<PeerIdentity> identify_peer(int socket);

}  // namespace sbx
