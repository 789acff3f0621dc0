// Stream sockets of a server: connections accepted, and who is at their other end.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx::os {

// accept4(2), non-blocking; an empty optional when nobody waits, or who waited has gone. EMFILE and its like
// are errors with that number.
Result<std::optional<UniqueFd>> accept_stream(int listener);

// The process that connected, as the kernel noted it then (unix(7), SO_PEERCRED and SO_PEERGROUPS): it may
// have ended since, or changed its ids.
struct PeerCredentials {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  std::vector<gid_t> groups;  // supplementary
};
Result<PeerCredentials> peer_credentials(int socket);

// Of the other end of a TCP connection: "127.0.0.1" or "::1".
struct PeerAddress {
  std::string host;
  std::uint16_t port = 0;
};
Result<PeerAddress> peer_address(int socket);

// AF_UNIX, AF_INET or AF_INET6 (socket(7), SO_DOMAIN).
Result<int> socket_family(int socket);

// Small writes leave at once (tcp(7), TCP_NODELAY).
Result<void> set_no_delay(int socket);

// Takes up to `most` bytes that have arrived and forgets them, sends `bytes` as far as there is room, and
// does not wait: for a connection that is to be closed. Without the first part what is sent could be lost (a
// close with unread bytes resets the connection, RFC 9112 section 9.6).
void send_parting_words(int socket, std::string_view bytes, std::size_t most);

}  // namespace sbx::os
