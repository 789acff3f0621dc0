// Servers on loopback and abstract addresses, and settings of the network.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "trace.h"

namespace sbx::trace {
namespace {

std::uint16_t port() { return htons(static_cast<std::uint16_t>(20'000 + key() % 20'000)); }

struct Address {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

template <int family>
Address address() {
  Address result;
  result.storage.ss_family = family;
  auto& v4 = reinterpret_cast<sockaddr_in&>(result.storage);
  v4.sin_port = port();  // where sin6_port is, too
  if (family == AF_INET) v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (family == AF_INET6) reinterpret_cast<sockaddr_in6&>(result.storage).sin6_addr = in6addr_loopback;
  if (family == AF_UNIX) {
    auto& unix = reinterpret_cast<sockaddr_un&>(result.storage);
    const std::string name = name_with_key();
    std::memset(unix.sun_path, 0, sizeof unix.sun_path);
    std::memcpy(unix.sun_path + 1, name.data(), name.size());
    result.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  }
  return result;
}

template <int family, int type>
long leave_server() {
  const Address where = address<family>();
  const int fd = socket(family, type, 0);
  if (fd < 0 || bind(fd, where.get(), where.size) != 0) return -1;
  return type == SOCK_STREAM ? listen(fd, 8) : 0;
}

// A datagram to where nobody is comes back as a refusal.
template <int family, int type>
long find_server() {
  const Address where = address<family>();
  const int fd = socket(family, type, 0);
  if (fd < 0 || connect(fd, where.get(), where.size) != 0) return -1;
  if (send(fd, "?", 1, MSG_NOSIGNAL) < 0) return -1;
  (void)usleep(10'000);
  int error = 0;
  socklen_t size = sizeof error;
  (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? 0 : fail(error);
}

constexpr const char* kSetting = "/proc/sys/net/ipv4/ip_default_ttl";
constexpr int kValue = 77;

long leave_setting() {
  const int fd = open(kSetting, O_WRONLY);
  return fd < 0 ? -1 : write(fd, "77", 2);
}

long find_setting() {
  char text[16] = {};
  const int fd = open(kSetting, O_RDONLY);
  if (fd < 0 || read(fd, text, sizeof text - 1) < 0) return -1;
  return std::atoi(text) == kValue ? 0 : fail(ENOENT);
}

// Strict has no internet sockets, and a host may have no IPv6.
constexpr const char* kNobody = "ECONNREFUSED|EAFNOSUPPORT";
constexpr const char* kControl = "own network namespace; filter under strict";

template <int family, int type>
constexpr Trace server(std::string_view name, std::string_view aim) {
  return {.name = name,
          .aim = aim,
          .control = kControl,
          .other = kNobody,
          .alone = family == AF_INET6 ? "ok|EAFNOSUPPORT|EADDRNOTAVAIL" : "ok",
          .outside = family == AF_INET6 ? "ok|EAFNOSUPPORT|EADDRNOTAVAIL" : "ok",
          .leave = leave_server<family, type>,
          .find = find_server<family, type>};
}

constexpr Trace kTraces[] = {
    server<AF_INET, SOCK_STREAM>("network.tcp", "a TCP server on loopback"),
    server<AF_INET, SOCK_DGRAM>("network.udp", "a UDP server on loopback"),
    server<AF_INET6, SOCK_STREAM>("network.tcp6", "a TCP server on IPv6 loopback"),
    server<AF_INET6, SOCK_DGRAM>("network.udp6", "a UDP server on IPv6 loopback"),
    {.name = "network.abstract",
     .aim = "a server on an abstract Unix socket",
     .control = "own network namespace",
     .other = "ECONNREFUSED",
     .leave = leave_server<AF_UNIX, SOCK_STREAM>,
     .find = find_server<AF_UNIX, SOCK_STREAM>},
    {.name = "network.setting",
     .aim = "a setting of the network that somebody changed",
     .control = "/proc/sys is read-only; own network namespace",
     .other = "ENOENT",
     .alone = "ENOENT",
     .leave = leave_setting,
     .find = find_setting},
};

}  // namespace

std::span<const Trace> network_traces() { return kTraces; }

}  // namespace sbx::trace
