// Servers of the host: TCP and UDP on its loopback and other addresses, and Unix sockets.
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <vector>

#include "serve.h"

namespace sbx::attack {
namespace {

std::vector<pollfd>& servers() {
  static std::vector<pollfd> all{{0, POLLIN, 0}};  // first the standard input
  return all;
}

// False where the host has no such address.
bool serve_at(int type, const void* address, std::size_t size) {
  const auto* where = static_cast<const sockaddr*>(address);
  const int fd = socket(where->sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || bind(fd, where, static_cast<socklen_t>(size)) != 0) return false;
  if (type == SOCK_STREAM && listen(fd, 64) != 0) return false;
  servers().push_back({fd, POLLIN, 0});
  return true;
}

void serve_port(const std::string& name, int type, const sockaddr_storage& address) {
  if (!serve_at(type, &address, sizeof address)) return;
  sockaddr_in6 bound{};
  socklen_t size = sizeof bound;
  (void)getsockname(servers().back().fd, reinterpret_cast<sockaddr*>(&bound), &size);
  say(name, std::to_string(ntohs(bound.sin6_port)));  // where sin_port is, too
}

sockaddr_storage address_of(const char* text) {
  sockaddr_storage storage{};
  auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
  storage.ss_family = inet_pton(AF_INET, text, &v4.sin_addr) == 1 ? AF_INET : AF_INET6;
  if (storage.ss_family == AF_INET6) (void)inet_pton(AF_INET6, text, &v6.sin6_addr);
  return storage;
}

// An address of the host beside those of its loopback; empty where there is none.
std::string other_address() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return "";
  std::string found;
  for (const ifaddrs* entry = list; entry != nullptr && found.empty(); entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET) continue;
    if ((entry->ifa_flags & IFF_LOOPBACK) != 0 || (entry->ifa_flags & IFF_UP) == 0) continue;
    char text[INET_ADDRSTRLEN] = {};
    (void)inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in*>(entry->ifa_addr)->sin_addr, text, sizeof text);
    found = text;
  }
  freeifaddrs(list);
  return found;
}

void serve_unix(const std::string& name, int type, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (!serve_at(type, &address, offsetof(sockaddr_un, sun_path) + path.size())) return;
  if (path[0] == '/') (void)chmod(path.c_str(), 0666);
  say(name, path[0] == '/' ? path : path.substr(1));
}

void answer(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  (void)getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
  if (type == SOCK_STREAM) {
    const int peer = accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
    (void)send(peer, &kServed, 1, MSG_NOSIGNAL);
    (void)close(peer);
    return;
  }
  sockaddr_storage from{};
  socklen_t from_size = sizeof from;
  char byte = 0;
  if (recvfrom(fd, &byte, 1, 0, reinterpret_cast<sockaddr*>(&from), &from_size) < 0) return;
  (void)sendto(fd, &kServed, 1, 0, reinterpret_cast<const sockaddr*>(&from), from_size);
}

std::string directory_of(const std::string& key) { return "/tmp/sbx-attacks-" + key; }

}  // namespace

void open_servers(const std::string& key) {
  serve_port("tcp4", SOCK_STREAM, address_of("127.0.0.1"));
  serve_port("udp4", SOCK_DGRAM, address_of("127.0.0.1"));
  serve_port("tcp6", SOCK_STREAM, address_of("::1"));
  serve_port("udp6", SOCK_DGRAM, address_of("::1"));
  const std::string other = other_address();
  if (!other.empty()) {
    say("address", other);
    serve_port("other_tcp", SOCK_STREAM, address_of(other.c_str()));
    serve_port("other_udp", SOCK_DGRAM, address_of(other.c_str()));
  }
  const std::string null(1, '\0');
  serve_unix("abstract", SOCK_STREAM, null + "sbx-attacks-" + key);
  serve_unix("abstract_dgram", SOCK_DGRAM, null + "sbx-attacks-dgram-" + key);
  if (mkdir(directory_of(key).c_str(), 0755) == 0) {
    serve_unix("socket", SOCK_STREAM, directory_of(key) + "/socket");
  }
}

bool serve_for(int milliseconds) {
  if (poll(servers().data(), servers().size(), milliseconds) <= 0) return true;
  for (std::size_t i = 1; i < servers().size(); ++i) {
    if (servers()[i].revents != 0) answer(servers()[i].fd);
  }
  char byte = 0;
  return servers()[0].revents == 0 || read(0, &byte, 1) > 0;
}

void remove_servers(const std::string& key) {
  (void)unlink((directory_of(key) + "/socket").c_str());
  (void)rmdir(directory_of(key).c_str());
}

}  // namespace sbx::attack
