#include "sbxd/tcp_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

namespace sbx {

Result<UniqueFd> listen_tcp(const TcpListener& where) {
  sockaddr_in four{};
  sockaddr_in6 six{};
  four.sin_family = AF_INET;
  four.sin_port = htons(where.port);
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(where.port);
  const bool is_four = inet_pton(AF_INET, where.address.c_str(), &four.sin_addr) == 1;
  if (!is_four && inet_pton(AF_INET6, where.address.c_str(), &six.sin6_addr) != 1)
    return fail("listen: '" + where.address + "' is no address");
  UniqueFd fd(socket(is_four ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fail(system_error("socket", where.text(), errno));
  const int on = 1;
  // What ended a moment ago holds the port no longer; "::" takes no IPv4 (ipv6(7)).
  if (setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      (!is_four && setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0))
    return fail(system_error("setsockopt", where.text(), errno));
  const auto* address =
      is_four ? reinterpret_cast<const sockaddr*>(&four) : reinterpret_cast<const sockaddr*>(&six);
  if (bind(fd.get(), address, is_four ? sizeof four : sizeof six) != 0)
    return fail(system_error("bind", "listen: " + where.text(), errno));
  if (listen(fd.get(), SOMAXCONN) != 0) return fail(system_error("listen", where.text(), errno));
  return fd;
}

}  // namespace sbx
