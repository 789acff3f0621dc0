// Network interfaces, addresses, routes and packet filters: seeing and changing them. Outside, attempts that
// change something are made in a network of the attacker's own.
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/if_vlan.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>

#include "attempts.h"

namespace sbx::attack {
namespace {

// Interface requests are taken by any socket; strict has only these.
int any_socket() { return socket(AF_UNIX, SOCK_DGRAM, 0); }

ifreq loopback() {
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  return request;
}

sockaddr address_of(std::uint32_t number) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(number);
  sockaddr result{};
  std::memcpy(&result, &address, sizeof result);
  return result;
}

long set_flags(short flags) {
  ifreq request = loopback();
  request.ifr_flags = flags;
  return ioctl(any_socket(), SIOCSIFFLAGS, &request);
}

long switch_off() {
  try_own_network();
  return set_flags(0);
}

long set_address() {
  try_own_network();
  ifreq request = loopback();
  request.ifr_addr = address_of(0x0a000001);
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  return fd < 0 ? -1 : ioctl(fd, SIOCSIFADDR, &request);
}

long set_mtu() {
  try_own_network();
  ifreq request = loopback();
  request.ifr_mtu = 1'000;
  return ioctl(any_socket(), SIOCSIFMTU, &request);
}

long rename() {
  try_own_network();
  ifreq request = loopback();
  std::strcpy(request.ifr_newname, "lo2");
  return ioctl(any_socket(), SIOCSIFNAME, &request);
}

long set_offload() {
  try_own_network();
  ethtool_value value{ETHTOOL_SGRO, 0};
  ifreq request = loopback();
  request.ifr_data = reinterpret_cast<char*>(&value);
  return ioctl(any_socket(), SIOCETHTOOL, &request);
}

long add_route() {
  try_own_network();
  (void)set_flags(IFF_UP);
  char device[] = "lo";
  rtentry route{};
  route.rt_dst = address_of(0);
  route.rt_genmask = address_of(0);
  route.rt_flags = RTF_UP;
  route.rt_dev = device;
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  return fd < 0 ? -1 : ioctl(fd, SIOCADDRT, &route);
}

// lo has no neighbours, so a pair of addresses is published for it.
long add_neighbour() {
  try_own_network();
  (void)set_flags(IFF_UP);
  arpreq request{};
  request.arp_pa = address_of(0x0a000001);
  request.arp_ha.sa_family = ARPHRD_LOOPBACK;
  request.arp_flags = ATF_PERM | ATF_COM;
  std::strcpy(request.arp_dev, "lo");
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  return fd < 0 ? -1 : ioctl(fd, SIOCSARP, &request);
}

long make_tunnel() {
  try_own_network();
  const int fd = open("/dev/net/tun", O_RDWR);
  ifreq request{};
  request.ifr_flags = IFF_TUN;
  return fd < 0 ? -1 : ioctl(fd, TUNSETIFF, &request);
}

// The kernel loads these modules for whoever asks, before it looks at rights.
long make_bridge() {
  if (spares_modules()) not_tried();
  try_own_network();
  return ioctl(any_socket(), SIOCBRADDBR, "sbx-attack");
}

long make_vlan() {
  if (spares_modules()) not_tried();
  try_own_network();
  vlan_ioctl_args request{};
  request.cmd = SET_VLAN_NAME_TYPE_CMD;
  request.u.name_type = VLAN_NAME_TYPE_PLUS_VID;
  return ioctl(any_socket(), SIOCSIFVLAN, &request);
}

// An interface that is not lo.
long see_others() {
  const int fd = any_socket();
  for (int index = 1; index < 4'096; ++index) {
    ifreq request{};
    request.ifr_ifindex = index;
    if (ioctl(fd, SIOCGIFNAME, &request) == 0 && std::strcmp(request.ifr_name, "lo") != 0) return index;
  }
  return fail(ENODEV);
}

long see_others_in_proc() {
  std::ifstream list("/proc/net/dev");
  std::string line;
  for (int head = 0; head < 2; ++head) std::getline(list, line);
  while (std::getline(list, line)) {
    if (line.find(" lo:") == std::string::npos) return 0;
  }
  return fail(ENODEV);
}

long see_routes() {
  std::ifstream list("/proc/net/route");
  std::string line;
  std::getline(list, line);
  return std::getline(list, line) ? 0 : fail(ENOENT);
}

// The host's servers are in the list of its TCP sockets.
long see_sockets() {
  std::ifstream list("/proc/net/tcp");
  char port[16];
  (void)std::snprintf(port, sizeof port, ":%04lX ", target_number("tcp4"));
  for (std::string line; std::getline(list, line);) {
    if (line.find(port) != std::string::npos) return 0;
  }
  return fail(ENOENT);
}

long see_unix_sockets() {
  std::ifstream list("/proc/net/unix");
  for (std::string line; std::getline(list, line);) {
    if (line.ends_with("@" + target("abstract"))) return 0;
  }
  return fail(ENOENT);
}

// The first option of each: what its table looks like, in a struct of `wanted` bytes.
template <int family, int level, int option, socklen_t wanted>
long read_table() {
  if (spares_modules()) not_tried();
  try_own_network();
  char info[256] = "filter";
  socklen_t size = wanted;
  const int fd = socket(family, SOCK_DGRAM, 0);
  return fd < 0 ? -1 : getsockopt(fd, level, option, info, &size);
}

template <int family, int level, int option>
long replace_table() {
  if (spares_modules()) not_tried();
  try_own_network();
  char table[256] = "filter";
  const int fd = socket(family, SOCK_DGRAM, 0);
  return fd < 0 ? -1 : setsockopt(fd, level, option, table, sizeof table);
}

constexpr const char* kNoRight = "no capability";
constexpr const char* kModule = "filter: the request; no capability";

constexpr Attack change(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {.name = name, .aim = aim, .control = kNoRight, .inside = "EPERM", .attempt = attempt};
}

constexpr Attack change_inet(std::string_view name, std::string_view aim, long (*attempt)()) {
  Attack attack = change(name, aim, attempt);
  attack.strict = "EAFNOSUPPORT";
  return attack;
}

// Where the kernel has no such tables it does not know the option. Whoever has the right gets to their
// contents: ENOENT or EINVAL is said of those that are not there.
constexpr Attack table(std::string_view name, std::string_view aim, std::string_view outside,
                       long (*attempt)()) {
  return {.name = name,
          .aim = aim,
          .control = kNoRight,
          .inside = "EPERM|ENOPROTOOPT",
          .strict = "EAFNOSUPPORT",
          .unfiltered = "EPERM|ENOPROTOOPT|not tried",
          .outside = outside,
          .attempt = attempt};
}

constexpr Attack see(std::string_view name, std::string_view aim, std::string_view inside,
                     std::string_view outside, long (*attempt)()) {
  return {.name = name,
          .aim = aim,
          .control = "own network namespace",
          .inside = inside,
          .outside = outside,
          .attempt = attempt};
}

constexpr Attack kAttacks[] = {
    // A machine may have no other interface than lo, and so no routes.
    see("interfaces.names", "see the host's network interfaces", "ENODEV", "ok|ENODEV", see_others),
    see("interfaces.proc", "see them in /proc", "ENODEV", "ok|ENODEV", see_others_in_proc),
    see("interfaces.routes", "see the host's routes", "ENOENT", "ok|ENOENT", see_routes),
    see("interfaces.tcp_sockets", "see the host's TCP sockets", "ENOENT", "ok", see_sockets),
    see("interfaces.unix_sockets", "see the names of the host's Unix sockets", "ENOENT", "ok",
        see_unix_sockets),
    change("interfaces.switch_off", "switch an interface off", switch_off),
    change_inet("interfaces.address", "give an interface another address", set_address),
    change("interfaces.mtu", "change the size of an interface's packets", set_mtu),
    change("interfaces.rename", "give an interface another name", rename),
    change("interfaces.ethtool", "change the settings of a network card", set_offload),
    change_inet("interfaces.route", "add a route by the old call", add_route),
    change_inet("interfaces.neighbour", "forge an entry of the ARP table", add_neighbour),
    {.name = "interfaces.tunnel",
     .aim = "make a tunnel interface",
     .control = "no such device node; no capability",
     .inside = "ENOENT",
     .outside = "ok|ENOENT|ENODEV",  // a host without the device or its module
     .attempt = make_tunnel},
    // ENOPKG: no such module.
    {.name = "interfaces.bridge",
     .aim = "make a bridge interface, or have its module loaded",
     .control = kModule,
     .inside = "EPERM",
     .unfiltered = "EPERM|ENOPKG|not tried",
     .outside = "ok|ENOPKG|not tried",
     .attempt = make_bridge},
    {.name = "interfaces.vlan",
     .aim = "change the names of VLANs, or have their module loaded",
     .control = kModule,
     .inside = "EPERM",
     .unfiltered = "EPERM|ENOPKG|not tried",
     .outside = "ok|ENOPKG|not tried",
     .attempt = make_vlan},
    table("interfaces.iptables", "read the packet filter", "ok|ENOENT|ENOPROTOOPT|not tried",
          read_table<AF_INET, IPPROTO_IP, 64 /* IPT_SO_GET_INFO */, 84>),
    table("interfaces.ip6tables", "read the IPv6 packet filter",
          "ok|ENOENT|ENOPROTOOPT|EAFNOSUPPORT|not tried",
          read_table<AF_INET6, IPPROTO_IPV6, 64 /* IP6T_SO_GET_INFO */, 84>),
    table("interfaces.arptables", "read the packet filter of ARP", "ok|ENOENT|ENOPROTOOPT|not tried",
          read_table<AF_INET, IPPROTO_IP, 96 /* ARPT_SO_GET_INFO */, 68>),
    table("interfaces.ebtables", "read the packet filter of bridges",
          "ok|ENOENT|EINVAL|ENOPROTOOPT|not tried",
          read_table<AF_INET, IPPROTO_IP, 128 /* EBT_SO_GET_INFO */, 120>),
    table("interfaces.replace_iptables", "replace the packet filter", "EINVAL|ENOPROTOOPT|ENOMEM|not tried",
          replace_table<AF_INET, IPPROTO_IP, 64 /* IPT_SO_SET_REPLACE */>),
    table("interfaces.replace_ip6tables", "replace the IPv6 packet filter",
          "EINVAL|ENOPROTOOPT|EAFNOSUPPORT|ENOMEM|not tried",
          replace_table<AF_INET6, IPPROTO_IPV6, 64 /* IP6T_SO_SET_REPLACE */>),
};

}  // namespace

std::span<const Attack> interface_attacks() { return kAttacks; }

}  // namespace sbx::attack
