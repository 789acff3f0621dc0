// The network of a place: its interfaces that are up, and whether a server on the loopback addresses is
// reached.
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "attempt.h"

namespace {

long talk(const sockaddr* address, socklen_t size, int type) {
  const int server = socket(address->sa_family, type, 0);
  const int client = socket(address->sa_family, type, 0);
  if (bind(server, address, size) != 0) return -1;
  if (type == SOCK_STREAM && listen(server, 1) != 0) return -1;
  sockaddr_storage bound{};
  socklen_t bound_size = sizeof bound;
  if (getsockname(server, reinterpret_cast<sockaddr*>(&bound), &bound_size) != 0) return -1;
  if (connect(client, reinterpret_cast<sockaddr*>(&bound), bound_size) != 0) return -1;
  if (write(client, "x", 1) != 1) return -1;
  const int peer = type == SOCK_STREAM ? accept(server, nullptr, nullptr) : server;
  char byte = 0;
  return read(peer, &byte, 1) == 1 && byte == 'x' ? 0 : -1;
}

void talk_on_loopback(const char* name, int type) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sbx::probe::attempt(std::string(name) + "_127.0.0.1",
                      [&] { return talk(reinterpret_cast<sockaddr*>(&v4), sizeof v4, type); });
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_addr = in6addr_loopback;
  sbx::probe::attempt(std::string(name) + "_::1",
                      [&] { return talk(reinterpret_cast<sockaddr*>(&v6), sizeof v6, type); });
}

}  // namespace

int main() {
  std::string up;
  const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  for (unsigned index = 1; index < 4096; ++index) {
    ifreq request{};
    request.ifr_ifindex = static_cast<int>(index);
    if (ioctl(fd, SIOCGIFNAME, &request) != 0) continue;
    const std::string name = request.ifr_name;
    if (ioctl(fd, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) != 0) up += " " + name;
  }
  sbx::probe::say("up", up);
  talk_on_loopback("tcp", SOCK_STREAM);
  talk_on_loopback("udp", SOCK_DGRAM);
  return 0;
}
