// Servers of the host and of the world: reaching one is reading a byte of it.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "attempts.h"
#include "serve.h"

namespace sbx::attack {
namespace {

constexpr int kPatience = 3'000;  // milliseconds
constexpr int kHttp = 80;

struct Address {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Address internet(const std::string& text, long port) {
  Address address;
  auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
  const bool is_v4 = inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1;
  address.storage.ss_family = is_v4 ? AF_INET : AF_INET6;
  if (!is_v4) (void)inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr);
  v4.sin_port = htons(static_cast<std::uint16_t>(port));  // where sin6_port is, too
  if (text.starts_with("fe80:") || text.starts_with("ff02:")) v6.sin6_scope_id = 1;
  return address;
}

Address unix_socket(const std::string& path) {
  Address address;
  auto& unix = reinterpret_cast<sockaddr_un&>(address.storage);
  unix.sun_family = AF_UNIX;
  std::memcpy(unix.sun_path, path.data(), path.size());
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  return address;
}

// Connects, asks where that is needed, and reads the server's byte.
long reach(int type, const Address& address) {
  const int fd = socket(address.storage.ss_family, type | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  // A datagram is answered to who has a name: the kernel chooses one.
  const sa_family_t family = address.storage.ss_family;
  if (family == AF_UNIX) (void)bind(fd, reinterpret_cast<const sockaddr*>(&family), sizeof family);
  if (connect(fd, address.get(), address.size) != 0 && errno != EINPROGRESS) return -1;
  pollfd polled{fd, POLLOUT, 0};
  if (poll(&polled, 1, kPatience) <= 0) return fail(ETIMEDOUT);
  int error = 0;
  socklen_t size = sizeof error;
  (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return fail(error);
  if (type == SOCK_DGRAM && send(fd, "?", 1, 0) < 0) return -1;
  polled.events = POLLIN;
  if (poll(&polled, 1, kPatience) <= 0) return fail(ETIMEDOUT);
  char byte = 0;
  if (recv(fd, &byte, 1, 0) < 0) return -1;
  return only_if(byte == kServed);
}

// Where the host has no such server there is nothing to reach.
long reach_target(int type, const std::string& address, const char* port) {
  if (target(port).empty()) not_tried();
  return reach(type, internet(address, target_number(port)));
}

template <std::size_t size>
long world(const char (&address)[size]) {
  return reach(SOCK_STREAM, internet(address, kHttp));
}

template <std::size_t size>
long world_udp(const char (&address)[size]) {
  return reach(SOCK_DGRAM, internet(address, 53));
}

long send_to_all(const char* address) {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  const int on = 1;
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on) != 0) return -1;
  const Address where = internet(address, 9);
  return sendto(fd, "?", 1, 0, where.get(), sizeof(sockaddr_in));
}

long bind_to(const std::string& address, long port) {
  const Address where = internet(address, port);
  const int fd = socket(where.storage.ss_family, SOCK_STREAM, 0);
  return fd < 0 ? -1 : bind(fd, where.get(), where.size);
}

constexpr const char* kNetwork = "own network namespace with nothing but lo; filter under strict";

constexpr Attack closed(std::string_view name, std::string_view aim, std::string_view inside,
                        std::string_view outside, long (*attempt)()) {
  return {.name = name,
          .aim = aim,
          .control = kNetwork,
          .inside = inside,
          .strict = "EAFNOSUPPORT",
          .outside = outside,
          .attempt = attempt};
}

// Of an address or family that not every host has.
constexpr Attack closed_if_there(std::string_view name, std::string_view aim, std::string_view inside,
                                 long (*attempt)()) {
  Attack attack = closed(name, aim, inside, "ok|not tried", attempt);
  attack.strict = "EAFNOSUPPORT|not tried";
  return attack;
}

constexpr Attack unreachable(std::string_view name, std::string_view aim, long (*attempt)()) {
  return closed(name, aim, "ENETUNREACH", "not tried: it needs a network", attempt);
}

// IPv6 may be missing on a machine.
constexpr Attack unreachable6(std::string_view name, std::string_view aim, long (*attempt)()) {
  return closed(name, aim, "ENETUNREACH|EAFNOSUPPORT", "not tried: it needs a network", attempt);
}

constexpr Attack kAttacks[] = {
    closed("network.tcp", "reach a TCP server on the host's loopback", "ECONNREFUSED", "ok",
           [] { return reach_target(SOCK_STREAM, "127.0.0.1", "tcp4"); }),
    closed("network.udp", "reach a UDP server on the host's loopback", "ECONNREFUSED", "ok",
           [] { return reach_target(SOCK_DGRAM, "127.0.0.1", "udp4"); }),
    closed_if_there("network.tcp6", "reach a TCP server on the host's IPv6 loopback",
                    "ECONNREFUSED|not tried", [] { return reach_target(SOCK_STREAM, "::1", "tcp6"); }),
    closed_if_there("network.udp6", "reach a UDP server on the host's IPv6 loopback",
                    "ECONNREFUSED|not tried", [] { return reach_target(SOCK_DGRAM, "::1", "udp6"); }),
    closed("network.mapped", "reach the host's loopback by an IPv4 address written as IPv6",
           "ECONNREFUSED|EAFNOSUPPORT", "ok|EAFNOSUPPORT",
           [] { return reach_target(SOCK_STREAM, "::ffff:127.0.0.1", "tcp4"); }),
    closed("network.any", "reach the host's loopback by 0.0.0.0", "ECONNREFUSED", "ok",
           [] { return reach_target(SOCK_STREAM, "0.0.0.0", "tcp4"); }),
    closed_if_there("network.any6", "reach the host's IPv6 loopback by ::", "ECONNREFUSED|not tried",
                    [] { return reach_target(SOCK_STREAM, "::", "tcp6"); }),
    closed("network.other_loopback", "reach the host by another address of its loopback", "ECONNREFUSED",
           "ECONNREFUSED",  // nobody listens there
           [] { return reach_target(SOCK_STREAM, "127.1.2.3", "tcp4"); }),
    closed_if_there("network.address_tcp", "reach a TCP server on another address of the host",
                    "ENETUNREACH|not tried",
                    [] { return reach_target(SOCK_STREAM, target("address"), "other_tcp"); }),
    closed_if_there("network.address_udp", "reach a UDP server on another address of the host",
                    "ENETUNREACH|not tried",
                    [] { return reach_target(SOCK_DGRAM, target("address"), "other_udp"); }),
    {.name = "network.abstract",
     .aim = "connect to an abstract Unix socket of the host",
     .control = "own network namespace",
     .inside = "ECONNREFUSED",
     .attempt = [] { return reach(SOCK_STREAM, unix_socket(std::string(1, '\0') + target("abstract"))); }},
    {.name = "network.abstract_datagram",
     .aim = "send to an abstract Unix socket of the host",
     .control = "own network namespace",
     .inside = "ECONNREFUSED",
     .attempt =
         [] { return reach(SOCK_DGRAM, unix_socket(std::string(1, '\0') + target("abstract_dgram"))); }},
    {.name = "network.path",
     .aim = "connect to a Unix socket among the host's files",
     .control = "the host's files are not shown",
     .inside = "ENOENT",
     .attempt = [] { return reach(SOCK_STREAM, unix_socket(target("socket"))); }},
    unreachable("network.metadata", "ask the cloud's metadata service",
                [] { return world("169.254.169.254"); }),
    unreachable("network.metadata_ecs", "ask the metadata service of containers",
                [] { return world("169.254.170.2"); }),
    unreachable6("network.metadata6", "ask the cloud's metadata service by IPv6",
                 [] { return world("fd00:ec2::254"); }),
    unreachable("network.link_local", "reach a neighbour by a link-local address",
                [] { return world("169.254.1.1"); }),
    unreachable6("network.link_local6", "reach a neighbour by an IPv6 link-local address",
                 [] { return world("fe80::1"); }),
    unreachable("network.private_10", "reach a private network", [] { return world("10.0.0.1"); }),
    unreachable("network.private_172", "reach the network of another runtime's containers",
                [] { return world("172.17.0.1"); }),
    unreachable("network.private_192", "reach a private network of the host",
                [] { return world("192.168.0.1"); }),
    unreachable("network.public", "reach a server on the internet", [] { return world("192.0.2.1"); }),
    unreachable6("network.public6", "reach a server on the internet by IPv6",
                 [] { return world("2001:db8::1"); }),
    unreachable("network.dns", "ask a name server", [] { return world_udp("8.8.8.8"); }),
    unreachable6("network.dns6", "ask a name server by IPv6",
                 [] { return world_udp("2001:4860:4860::8888"); }),
    closed("network.broadcast", "send to everybody on the host's network", "ENETUNREACH",
           "not tried: it would reach everybody", [] { return send_to_all("255.255.255.255"); }),
    closed("network.multicast", "send to a multicast group of the host's network", "ENETUNREACH",
           "not tried: it would reach everybody", [] { return send_to_all("224.0.0.251"); }),
    closed("network.low_port", "be the server of a port below 1024", "EACCES", "ok",
           [] {
             try_own_network();
             return bind_to("0.0.0.0", 80);
           }),
    closed_if_there("network.foreign_address", "be the server of an address of the host",
                    "EADDRNOTAVAIL|not tried",

                    [] {
                      if (target("address").empty()) not_tried();
                      return bind_to(target("address"), 0);
                    }),
};

}  // namespace

std::span<const Attack> network_attacks() { return kAttacks; }

}  // namespace sbx::attack
