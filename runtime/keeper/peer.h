// Who asks, as the kernel knows: the credentials that a client had when it connected (unix(7), SO_PEERCRED),
// or the list of tokens that root made. What the API says of it is one number: which token of the list.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "outcome/run_result.h"
#include "wire/tokens.h"

namespace sbx {

struct PeerIdentity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;   // supplementary
  std::optional<Token> token;  // of TCP: nobody of this host, the ids say nothing

  [[nodiscard]] bool is_root() const { return !token && uid == 0; }
  [[nodiscard]] Caller caller() const;
  // Whether what `owner` made in `project` (empty: none) is for this one, too. What shows the host's files is
  // for no token.
  [[nodiscard]] bool may_use_what(const PeerIdentity& owner, const std::string& project,
                                  bool has_binds) const;
};

// With no rights of anybody's.
PeerIdentity nobody();

// `descriptor`: a connection that sbxd's listener accepted, or the list of tokens, of which it is that one.
// Any other socket is refused: those between our own processes say that root is at their other end.
Result<PeerIdentity> identify_peer(int descriptor, std::int64_t token = -1);

}  // namespace sbx
