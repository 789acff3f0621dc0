// Multicast groups and lists of sources, which the kernel keeps for sockets without charging anybody.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>

#include "attempts.h"

namespace sbx::attack {
namespace {

constexpr unsigned kLoopback = 1;  // the index of lo in every network

in_addr v4(std::uint32_t address) { return {htonl(address)}; }

template <int family>
sockaddr_storage group() {
  sockaddr_storage storage{};
  storage.ss_family = family;
  if (family == AF_INET) {
    reinterpret_cast<sockaddr_in&>(storage).sin_addr = v4(0xefff0001);  // 239.255.0.1
  } else {
    std::uint8_t(&bytes)[16] = reinterpret_cast<sockaddr_in6&>(storage).sin6_addr.s6_addr;
    bytes[0] = 0xff;
    bytes[1] = 0x11;
    bytes[15] = 1;
  }
  return storage;
}

template <int family>
sockaddr_storage source() {
  sockaddr_storage storage = group<family>();
  if (family == AF_INET) reinterpret_cast<sockaddr_in&>(storage).sin_addr = v4(0x0a000001);
  if (family == AF_INET6) reinterpret_cast<sockaddr_in6&>(storage).sin6_addr.s6_addr[0] = 0xfd;
  return storage;
}

template <int family>
constexpr int level() {
  return family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
}

template <int family>
long join(int fd) {
  const group_req request{kLoopback, group<family>()};
  return setsockopt(fd, level<family>(), MCAST_JOIN_GROUP, &request, sizeof request);
}

template <int family>
long join_group() {
  const int fd = socket(family, SOCK_DGRAM, 0);
  return fd < 0 ? -1 : join<family>(fd);
}

// On a member; unblocking wants a source that is blocked.
template <int family, int option>
long with_source() {
  const int fd = socket(family, SOCK_DGRAM, 0);
  if (fd < 0) return -1;
  const group_source_req request{kLoopback, group<family>(), source<family>()};
  if (option != MCAST_JOIN_SOURCE_GROUP && option != MCAST_LEAVE_SOURCE_GROUP) (void)join<family>(fd);
  if (option == MCAST_UNBLOCK_SOURCE) {
    (void)setsockopt(fd, level<family>(), MCAST_BLOCK_SOURCE, &request, sizeof request);
  }
  if (option == MCAST_LEAVE_SOURCE_GROUP) {
    (void)setsockopt(fd, level<family>(), MCAST_JOIN_SOURCE_GROUP, &request, sizeof request);
  }
  return setsockopt(fd, level<family>(), option, &request, sizeof request);
}

template <int family>
long set_sources() {
  const int fd = socket(family, SOCK_DGRAM, 0);
  if (fd < 0) return -1;
  (void)join<family>(fd);
  group_filter filter{};
  filter.gf_interface = kLoopback;
  filter.gf_group = group<family>();
  filter.gf_fmode = MCAST_EXCLUDE;
  filter.gf_numsrc = 1;
  filter.gf_slist[0] = source<family>();
  return setsockopt(fd, level<family>(), MCAST_MSFILTER, &filter, GROUP_FILTER_SIZE(1));
}

// The same by IPv4's older options.
template <int option>
long with_old_source() {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) return -1;
  const ip_mreq_source request{v4(0xefff0001), v4(INADDR_LOOPBACK), v4(0x0a000001)};
  const ip_mreq member{v4(0xefff0001), v4(INADDR_LOOPBACK)};
  if (option == IP_BLOCK_SOURCE || option == IP_UNBLOCK_SOURCE) {
    (void)setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &member, sizeof member);
  }
  if (option == IP_UNBLOCK_SOURCE) {
    (void)setsockopt(fd, IPPROTO_IP, IP_BLOCK_SOURCE, &request, sizeof request);
  }
  if (option == IP_DROP_SOURCE_MEMBERSHIP) {
    (void)setsockopt(fd, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &request, sizeof request);
  }
  return setsockopt(fd, IPPROTO_IP, option, &request, sizeof request);
}

long set_old_sources() {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) return -1;
  const ip_mreq member{v4(0xefff0001), v4(INADDR_LOOPBACK)};
  (void)setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &member, sizeof member);
  const ip_msfilter filter{v4(0xefff0001), v4(INADDR_LOOPBACK), MCAST_EXCLUDE, 1, {v4(0x0a000001)}};
  return setsockopt(fd, IPPROTO_IP, IP_MSFILTER, &filter, sizeof filter);
}

long join_old_group6() {
  const int fd = socket(AF_INET6, SOCK_DGRAM, 0);
  if (fd < 0) return -1;
  const sockaddr_storage where = group<AF_INET6>();
  const ipv6_mreq member{reinterpret_cast<const sockaddr_in6&>(where).sin6_addr, kLoopback};
  return setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &member, sizeof member);
}

constexpr Attack kept(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {.name = name,
          .aim = aim,
          .control = "filter: the option",
          .inside = "EPERM",
          .strict = "EAFNOSUPPORT",
          .unfiltered = "ok|EAFNOSUPPORT",
          .outside = "ok|EAFNOSUPPORT",  // a host without IPv6
          .attempt = attempt};
}

constexpr Attack kAttacks[] = {
    // One group takes little, is charged, and the number for each socket is small
    // (net.ipv4.igmp_max_memberships).
    {.name = "multicast.join",
     .aim = "join a multicast group",
     .control = "none: the group is of one's own network",
     .inside = "ok",
     .strict = "EAFNOSUPPORT",
     .attempt = join_group<AF_INET>},
    kept("multicast.join6", "join any number of IPv6 groups", join_group<AF_INET6>),
    kept("multicast.join6_old", "the same by the older option", join_old_group6),
    kept("multicast.join_source", "have the kernel keep sources to hear",
         with_source<AF_INET, MCAST_JOIN_SOURCE_GROUP>),
    kept("multicast.leave_source", "change the sources to hear",
         with_source<AF_INET, MCAST_LEAVE_SOURCE_GROUP>),
    kept("multicast.block", "have the kernel keep sources not to hear",
         with_source<AF_INET, MCAST_BLOCK_SOURCE>),
    kept("multicast.unblock", "change the sources not to hear", with_source<AF_INET, MCAST_UNBLOCK_SOURCE>),
    kept("multicast.sources", "have the kernel keep a list of sources", set_sources<AF_INET>),
    kept("multicast.join_source6", "have the kernel keep IPv6 sources to hear",
         with_source<AF_INET6, MCAST_JOIN_SOURCE_GROUP>),
    kept("multicast.leave_source6", "change the IPv6 sources to hear",
         with_source<AF_INET6, MCAST_LEAVE_SOURCE_GROUP>),
    kept("multicast.block6", "have the kernel keep IPv6 sources not to hear",
         with_source<AF_INET6, MCAST_BLOCK_SOURCE>),
    kept("multicast.unblock6", "change the IPv6 sources not to hear",
         with_source<AF_INET6, MCAST_UNBLOCK_SOURCE>),
    kept("multicast.sources6", "have the kernel keep a list of IPv6 sources", set_sources<AF_INET6>),
    kept("multicast.join_source_old", "have the kernel keep sources by the older option",
         with_old_source<IP_ADD_SOURCE_MEMBERSHIP>),
    kept("multicast.leave_source_old", "change them by the older option",
         with_old_source<IP_DROP_SOURCE_MEMBERSHIP>),
    kept("multicast.block_old", "block a source by the older option", with_old_source<IP_BLOCK_SOURCE>),
    kept("multicast.unblock_old", "unblock a source by the older option", with_old_source<IP_UNBLOCK_SOURCE>),
    kept("multicast.sources_old", "have the kernel keep a list of sources by the older option",
         set_old_sources),
};

}  // namespace

std::span<const Attack> multicast_attacks() { return kAttacks; }

}  // namespace sbx::attack
