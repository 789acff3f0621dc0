// Connects to each argument: ADDRESS PORT (TCP), or @NAME (an abstract unix socket).
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdlib>

#include "attempt.h"

namespace {

long connect_socket(int family, const void* address, std::size_t size) {
  const int fd = socket(family, SOCK_STREAM, 0);
  const timeval patience{5, 0};
  (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  return connect(fd, static_cast<const sockaddr*>(address), static_cast<socklen_t>(size));
}

long connect_abstract(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.c_str(), name.size());
  return connect_socket(AF_UNIX, &address, offsetof(sockaddr_un, sun_path) + 1 + name.size());
}

long connect_tcp(const char* host, const char* port) {
  const auto number = htons(static_cast<std::uint16_t>(std::atoi(port)));
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = number;
  if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) return connect_socket(AF_INET, &v4, sizeof v4);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = number;
  (void)inet_pton(AF_INET6, host, &v6.sin6_addr);
  return connect_socket(AF_INET6, &v6, sizeof v6);
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const char* target = argv[i];
    if (target[0] == '@') {
      sbx::probe::attempt(target, [&] { return connect_abstract(target + 1); });
    } else if (i + 1 < argc) {
      const char* port = argv[++i];
      sbx::probe::attempt(target, [&] { return connect_tcp(target, port); });
    }
  }
  return 0;
}
