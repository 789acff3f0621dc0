#include "os/stream_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

namespace sbx::os {

Result<std::optional<UniqueFd>> accept_stream(int listener) {
  const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) return std::optional(UniqueFd(fd));
  switch (errno) {
  // accept(2): errors of the new connection are told here, too, and mean that it is gone.
  case EAGAIN:
  case EINTR:
  case ECONNABORTED:
  case ENETDOWN:
  case EPROTO:
  case ENOPROTOOPT:
  case EHOSTDOWN:
  case ENONET:
  case EHOSTUNREACH:
  case EOPNOTSUPP:
  case ENETUNREACH: return std::optional<UniqueFd>{};
  default: return fail(system_error("accept4", "", errno));
  }
}

Result<PeerCredentials> peer_credentials(int socket) {
  ucred identity{};
  socklen_t size = sizeof identity;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &identity, &size) != 0) {
    return fail(system_error("getsockopt", "SO_PEERCRED", errno));
  }
  PeerCredentials peer{identity.uid, identity.gid, identity.pid, {}};
  // ERANGE tells the size that is needed; a process has at most NGROUPS_MAX (65536) groups.
  std::vector<gid_t> groups(32);
  for (int attempt = 0; attempt < 2; ++attempt) {
    size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) == 0) {
      groups.resize(size / sizeof(gid_t));
      peer.groups = std::move(groups);
      return peer;
    }
    // ENODATA: the socket was not made by connecting, and has no groups noted.
    if (errno == ENODATA) return peer;
    if (errno != ERANGE) break;
    groups.resize(size / sizeof(gid_t));
  }
  return fail(system_error("getsockopt", "SO_PEERGROUPS", errno));
}

Result<PeerAddress> peer_address(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return fail(system_error("getpeername", "", errno));
  }
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    sockaddr_in four{};
    std::memcpy(&four, &address, sizeof four);
    (void)inet_ntop(AF_INET, &four.sin_addr, text.data(), text.size());
    return PeerAddress{text.data(), ntohs(four.sin_port)};
  }
  if (address.ss_family == AF_INET6) {
    sockaddr_in6 six{};
    std::memcpy(&six, &address, sizeof six);
    (void)inet_ntop(AF_INET6, &six.sin6_addr, text.data(), text.size());
    return PeerAddress{text.data(), ntohs(six.sin6_port)};
  }
  return fail("getpeername: not an address of the internet");
}

Result<int> socket_family(int socket) {
  int family = 0;
  socklen_t size = sizeof family;
  if (getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &size) != 0) {
    return fail(system_error("getsockopt", "SO_DOMAIN", errno));
  }
  return family;
}

Result<void> set_no_delay(int socket) {
  const int on = 1;
  if (setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
    return fail(system_error("setsockopt", "TCP_NODELAY", errno));
  }
  return {};
}

void send_parting_words(int socket, std::string_view bytes, std::size_t most) {
  std::array<char, 4096> unread{};
  std::size_t taken = 0;
  while (taken < most) {
    const ssize_t size = recv(socket, unread.data(), unread.size(), MSG_DONTWAIT);
    if (size <= 0) break;
    taken += static_cast<std::size_t>(size);
  }
  // Whoever does not take it is not waited for.
  if (!bytes.empty()) (void)send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  (void)shutdown(socket, SHUT_WR);
}

}  // namespace sbx::os
