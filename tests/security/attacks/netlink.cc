// Netlink: how the kernel's networking, audit, device events and more are read and set.
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

#include "attempts.h"

namespace sbx::attack {
namespace {

// Does this network have it by now? The kernel's own socket of each is in the list.
bool is_there(int protocol) {
  std::ifstream list("/proc/net/netlink");
  for (std::string line; std::getline(list, line);) {
    std::istringstream fields(line);
    std::string address;
    int number = -1;
    if (fields >> address >> number && number == protocol) return true;
  }
  return false;
}

template <int protocol>
long open_netlink() {
  if (spares_modules() && !is_there(protocol)) not_tried();
  return socket(AF_NETLINK, SOCK_RAW, protocol);
}

// Sends a message and reads what the kernel says of it.
template <class Request>
long ask(int protocol, const Request& request) {
  const int fd = socket(AF_NETLINK, SOCK_RAW, protocol);
  if (fd < 0) return -1;
  if (send(fd, &request, sizeof request, 0) < 0) return -1;
  struct {
    nlmsghdr header;
    nlmsgerr error;
    char rest[256];
  } answer{};
  if (recv(fd, &answer, sizeof answer, 0) < 0) return -1;
  const bool refused = answer.header.nlmsg_type == NLMSG_ERROR && answer.error.error != 0;
  return refused ? fail(-answer.error.error) : 0;
}

struct LinkRequest {
  nlmsghdr header;
  ifinfomsg body;
};

struct RouteRequest {
  nlmsghdr header;
  rtmsg body;
  rtattr attribute;
  std::int32_t interface;
};

constexpr int kLoopback = 1;  // the index of lo in every network

long bring_up_loopback() {
  LinkRequest request{};
  request.header = {sizeof request, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0};
  request.body.ifi_index = kLoopback;
  request.body.ifi_flags = IFF_UP;
  request.body.ifi_change = IFF_UP;
  return ask(NETLINK_ROUTE, request);
}

long take_down_loopback() {
  try_own_network();
  LinkRequest request{};
  request.header = {sizeof request, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0};
  request.body.ifi_index = kLoopback;
  request.body.ifi_change = IFF_UP;
  return ask(NETLINK_ROUTE, request);
}

// A route to everywhere, by lo.
long add_route() {
  try_own_network();
  (void)bring_up_loopback();
  RouteRequest request{};
  request.header = {sizeof request, RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE, 1, 0};
  request.body.rtm_family = AF_INET;
  request.body.rtm_table = RT_TABLE_MAIN;
  request.body.rtm_protocol = RTPROT_BOOT;
  request.body.rtm_scope = RT_SCOPE_LINK;
  request.body.rtm_type = RTN_UNICAST;
  request.attribute = {RTA_LENGTH(sizeof request.interface), RTA_OIF};
  request.interface = kLoopback;
  return ask(NETLINK_ROUTE, request);
}

// Hears of every address and link that changes.
long listen_to_events() {
  const int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = 1;
  return fd < 0 ? -1 : bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

long list_sockets() {
  struct {
    nlmsghdr header;
    char body[56];  // inet_diag_req_v2
  } request{};
  request.header = {sizeof request, 20 /* SOCK_DIAG_BY_FAMILY */, NLM_F_REQUEST | NLM_F_DUMP, 1, 0};
  request.body[0] = AF_INET;
  request.body[1] = IPPROTO_TCP;
  std::memset(request.body + 4, -1, 4);  // in all states
  return ask(NETLINK_SOCK_DIAG, request);
}

// What a kernel has not is refused as such; what is there is open to everybody.
constexpr const char* kIfThere = "ok|not tried|EPROTONOSUPPORT";

template <int protocol>
constexpr Attack of(std::string_view name, std::string_view aim) {
  return {.name = name,
          .aim = aim,
          .control = "filter: the family (permissive: its protocol)",
          .inside = "EAFNOSUPPORT",
          .unfiltered = kIfThere,
          .outside = kIfThere,
          .attempt = open_netlink<protocol>};
}

constexpr Attack kAttacks[] = {
    {.name = "netlink.route",
     .aim = "open a socket that lists interfaces and routes",
     .control = "filter: the family; not under permissive, where it shows one's own network",
     .inside = "EAFNOSUPPORT",
     .permissive = "ok",
     .unfiltered = "ok",
     .attempt = open_netlink<NETLINK_ROUTE>},
    of<1>("netlink.unused", "open a socket of the unused protocol 1"),
    of<NETLINK_USERSOCK>("netlink.usersock", "talk to other programs by netlink"),
    of<3>("netlink.firewall", "open a socket of the old firewall"),
    of<NETLINK_SOCK_DIAG>("netlink.diag", "open a socket that lists all sockets"),
    of<NETLINK_NFLOG>("netlink.nflog", "open a socket of the old packet log"),
    of<NETLINK_XFRM>("netlink.xfrm", "open a socket that sets up IPsec"),
    of<NETLINK_SELINUX>("netlink.selinux", "open a socket that tells of SELinux"),
    of<NETLINK_ISCSI>("netlink.iscsi", "open a socket that sets up iSCSI"),
    of<NETLINK_AUDIT>("netlink.audit", "open a socket of the audit log"),
    of<NETLINK_FIB_LOOKUP>("netlink.fib_lookup", "open a socket that looks up routes"),
    of<NETLINK_CONNECTOR>("netlink.connector", "open a socket that tells of all processes"),
    of<NETLINK_NETFILTER>("netlink.netfilter", "open a socket that sets packet filters"),
    of<NETLINK_IP6_FW>("netlink.ip6_firewall", "open a socket of the old IPv6 firewall"),
    of<NETLINK_DNRTMSG>("netlink.decnet", "open a socket that tells of DECnet routes"),
    of<NETLINK_KOBJECT_UEVENT>("netlink.uevent", "open a socket that tells of devices"),
    of<NETLINK_GENERIC>("netlink.generic", "open a socket of the many protocols in generic netlink"),
    of<17>("netlink.dm", "open a socket of the device mapper"),
    of<NETLINK_SCSITRANSPORT>("netlink.scsi", "open a socket of the SCSI transports"),
    of<NETLINK_ECRYPTFS>("netlink.ecryptfs", "open a socket of eCryptfs"),
    of<NETLINK_RDMA>("netlink.rdma", "open a socket that sets up RDMA"),
    of<NETLINK_CRYPTO>("netlink.crypto", "open a socket that lists and sets ciphers"),
    of<NETLINK_SMC>("netlink.smc", "open a socket that lists SMC connections"),
    of<31>("netlink.last", "open a socket of the last protocol number"),
    {.name = "netlink.uevent_high",
     .aim = "open a socket that tells of devices with bits set that the kernel does not read",
     .control = "filter: the family (permissive: its protocol)",
     .inside = "EAFNOSUPPORT",
     .unfiltered = "ok",
     .attempt =
         [] {
           return syscall(SYS_socket, AF_NETLINK | kHighBit, SOCK_RAW, NETLINK_KOBJECT_UEVENT | kHighBit);
         }},
    {.name = "netlink.hear_events",
     .aim = "hear of the host's devices as they come and go",
     .control = "filter: the family; own network, which hears of its own alone",
     .inside = "EAFNOSUPPORT",
     .unfiltered = "ok",
     .attempt = listen_to_events},
    {.name = "netlink.list_sockets",
     .aim = "list the sockets of the network",
     .control = "filter: the family; own network: they would be one's own",
     .inside = "EAFNOSUPPORT",
     .unfiltered = "ok|EPROTONOSUPPORT|ENOENT|not tried",
     .outside = "ok|EPROTONOSUPPORT|ENOENT|not tried",
     .attempt =
         [] {
           if (spares_modules() && !is_there(NETLINK_SOCK_DIAG)) not_tried();
           return list_sockets();
         }},
    {.name = "netlink.take_down",
     .aim = "switch a network interface off",
     .control = "filter: the family, not under permissive; no capability",
     .inside = "EAFNOSUPPORT",
     .permissive = "EPERM",
     .unfiltered = "EPERM",
     .attempt = take_down_loopback},
    {.name = "netlink.add_route",
     .aim = "send everything another way",
     .control = "filter: the family, not under permissive; no capability",
     .inside = "EAFNOSUPPORT",
     .permissive = "EPERM",
     .unfiltered = "EPERM",
     .attempt = add_route},
};

}  // namespace

std::span<const Attack> netlink_attacks() { return kAttacks; }

}  // namespace sbx::attack
