// Sockets of every family, type and protocol. Most families are modules, which the first socket of them
// loads.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>

#include "attempts.h"

namespace sbx::attack {
namespace {

// Of the protocols that the kernel has (/proc/net/protocols), whether it has this one by now.
bool is_there(const char* protocol) {
  std::ifstream list("/proc/net/protocols");
  for (std::string line; std::getline(list, line);) {
    if (line.starts_with(std::string(protocol) + " ")) return true;
  }
  return false;
}

// A socket of any type. What the filter says of all (EAFNOSUPPORT) is said only if it was said of all.
template <int family>
long any_type() {
  long answer = fail(EAFNOSUPPORT);
  for (const int type :
       {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_RDM, SOCK_SEQPACKET, SOCK_DCCP, SOCK_PACKET}) {
    const long fd = socket(family, type, 0);
    if (fd >= 0) return fd;
    if (errno != EAFNOSUPPORT) answer = fail(errno);
    if (errno == EPERM) return answer;
  }
  return answer;
}

// Of a family that may be a module.
template <int family>
long any_loadable() {
  if (spares_modules()) not_tried();
  return any_type<family>();
}

template <int family>
long any_pair() {
  int ends[2];
  for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
    const long result = socketpair(family, type, 0, ends);
    if (result == 0 || errno != EAFNOSUPPORT) return result;
  }
  return -1;
}

template <unsigned long family, unsigned long type, unsigned long protocol>
long one() {
  return syscall(SYS_socket, family, type, protocol);
}

// Of a protocol that may be a module.
template <int family, int type, int protocol>
long one_loadable(const char* name) {
  if (spares_modules() && !is_there(name)) not_tried();
  return socket(family, type, protocol);
}

constexpr const char* kFamily = "filter: the family";
constexpr const char* kFamilyAndRight = "filter: the family; no capability";
constexpr const char* kProtocol = "filter: the protocol";
constexpr const char* kType = "filter: the type; no capability";

// Kernels differ in what they have: each answer of theirs says that they do not have it.
constexpr const char* kIfThere = "ok|not tried|EAFNOSUPPORT|ESOCKTNOSUPPORT|EPROTONOSUPPORT|EPERM";

template <int family>
constexpr Attack of(std::string_view name, std::string_view aim) {
  return {.name = name,
          .aim = aim,
          .control = kFamily,
          .inside = "EAFNOSUPPORT",
          .unfiltered = kIfThere,
          .outside = kIfThere,
          .attempt = any_loadable<family>};
}

// AF_INET and AF_INET6 are there, but for strict; another type or protocol of them is not.
constexpr Attack inet(std::string_view name, std::string_view aim, std::string_view control,
                      std::string_view inside, std::string_view unfiltered, std::string_view outside,
                      long (*attempt)()) {
  return {.name = name,
          .aim = aim,
          .control = control,
          .inside = inside,
          .strict = "EAFNOSUPPORT",
          .unfiltered = unfiltered,
          .outside = outside,
          .attempt = attempt};
}

constexpr Attack kAttacks[] = {
    of<0>("sockets.unspecified", "open a socket of no family"),
    of<AF_AX25>("sockets.ax25", "open an AX.25 (amateur radio) socket"),
    of<AF_IPX>("sockets.ipx", "open an IPX socket"),
    of<AF_APPLETALK>("sockets.appletalk", "open an AppleTalk socket"),
    of<AF_NETROM>("sockets.netrom", "open a NET/ROM socket"),
    of<AF_BRIDGE>("sockets.bridge", "open a socket of the bridge family"),
    of<AF_ATMPVC>("sockets.atmpvc", "open an ATM PVC socket"),
    of<AF_X25>("sockets.x25", "open an X.25 socket"),
    of<AF_ROSE>("sockets.rose", "open a ROSE socket"),
    of<AF_DECnet>("sockets.decnet", "open a DECnet socket"),
    of<AF_NETBEUI>("sockets.netbeui", "open a NetBEUI socket"),
    of<AF_SECURITY>("sockets.security", "open a socket of the security family"),
    of<AF_KEY>("sockets.key", "open a socket that sets the keys of IPsec"),
    {.name = "sockets.packet",
     .aim = "see and send raw packets",
     .control = kFamilyAndRight,
     .inside = "EAFNOSUPPORT",
     .unfiltered = "EPERM|not tried",
     .outside = "ok|not tried",
     .attempt =
         [] {
           if (spares_modules() && !is_there("PACKET")) not_tried();
           return any_type<AF_PACKET>();
         }},
    {.name = "sockets.packet_high",
     .aim = "the same with a bit set that the kernel does not read",
     .control = kFamilyAndRight,
     .inside = "EAFNOSUPPORT",
     .unfiltered = "EPERM|not tried",
     .outside = "ok|not tried",
     .attempt =
         [] {
           if (spares_modules() && !is_there("PACKET")) not_tried();
           return one<AF_PACKET | kHighBit, SOCK_RAW, 0>();
         }},
    of<AF_ASH>("sockets.ash", "open an Ash socket"),
    of<AF_ECONET>("sockets.econet", "open an Econet socket"),
    of<AF_ATMSVC>("sockets.atmsvc", "open an ATM SVC socket"),
    of<AF_RDS>("sockets.rds", "open an RDS (reliable datagram) socket"),
    of<AF_SNA>("sockets.sna", "open an SNA socket"),
    of<AF_IRDA>("sockets.irda", "open an IrDA socket"),
    of<AF_PPPOX>("sockets.pppox", "open a PPPoE or L2TP socket"),
    of<AF_WANPIPE>("sockets.wanpipe", "open a WANPIPE socket"),
    of<AF_LLC>("sockets.llc", "open an LLC socket"),
    of<AF_IB>("sockets.infiniband", "open an InfiniBand socket"),
    of<AF_MPLS>("sockets.mpls", "open an MPLS socket"),
    of<AF_CAN>("sockets.can", "open a CAN socket"),
    of<AF_TIPC>("sockets.tipc", "open a TIPC socket"),
    of<AF_BLUETOOTH>("sockets.bluetooth", "open a Bluetooth socket"),
    of<AF_IUCV>("sockets.iucv", "open an IUCV socket"),
    of<AF_RXRPC>("sockets.rxrpc", "open an RxRPC socket"),
    of<AF_ISDN>("sockets.isdn", "open an ISDN socket"),
    of<AF_PHONET>("sockets.phonet", "open a Phonet socket"),
    of<AF_IEEE802154>("sockets.ieee802154", "open an IEEE 802.15.4 socket"),
    of<AF_CAIF>("sockets.caif", "open a CAIF socket"),
    of<AF_ALG>("sockets.alg", "reach the kernel's cryptography by a socket"),
    of<AF_NFC>("sockets.nfc", "open an NFC socket"),
    of<AF_VSOCK>("sockets.vsock", "reach the hypervisor by a socket"),
    of<AF_KCM>("sockets.kcm", "open a KCM socket"),
    of<AF_QIPCRTR>("sockets.qipcrtr", "open a Qualcomm IPC router socket"),
    of<AF_SMC>("sockets.smc", "open an SMC (shared memory) socket"),
    of<AF_XDP>("sockets.xdp", "share packet buffers with a network card"),
    of<45>("sockets.mctp", "open an MCTP socket"),
    of<46>("sockets.number_46", "open a socket of the family after the last"),
    {.name = "sockets.alg_high",
     .aim = "reach the kernel's cryptography with a bit set that the kernel does not read",
     .control = kFamily,
     .inside = "EAFNOSUPPORT",
     .unfiltered = kIfThere,
     .outside = kIfThere,
     .attempt =
         [] {
           if (spares_modules()) not_tried();
           return one<AF_ALG | kHighBit, SOCK_SEQPACKET, 0>();
         }},
    // Outside, too, no other family has pairs but TIPC, a module.
    {.name = "sockets.pair_inet",
     .aim = "make a pair of internet sockets",
     .control = kFamily,
     .inside = "EAFNOSUPPORT",
     .unfiltered = "EOPNOTSUPP",
     .outside = "EOPNOTSUPP",
     .attempt = any_pair<AF_INET>},
    {.name = "sockets.pair_netlink",
     .aim = "make a pair of netlink sockets",
     .control = kFamily,
     .inside = "EAFNOSUPPORT",
     .unfiltered = "EOPNOTSUPP|ESOCKTNOSUPPORT",
     .outside = "EOPNOTSUPP|ESOCKTNOSUPPORT",
     .attempt = any_pair<AF_NETLINK>},
    {.name = "sockets.pair_tipc",
     .aim = "make a pair of TIPC sockets",
     .control = kFamily,
     .inside = "EAFNOSUPPORT",
     .unfiltered = kIfThere,
     .outside = kIfThere,
     .attempt =
         [] {
           if (spares_modules()) not_tried();
           return any_pair<AF_TIPC>();
         }},
    inet("sockets.raw", "send and see raw internet packets", kType, "EPERM", "EPERM", "ok",
         one<AF_INET, SOCK_RAW, IPPROTO_ICMP>),
    inet("sockets.raw_flags", "the same with flags in the type", kType, "EPERM", "EPERM", "ok",
         one<AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP>),
    inet("sockets.raw_high", "the same with bits set that the kernel does not read", kType, "EPERM", "EPERM",
         "ok", one<AF_INET | kHighBit, SOCK_RAW | kHighBit, IPPROTO_ICMP | kHighBit>),
    inet("sockets.raw_headers", "send packets with forged addresses", kType, "EPERM", "EPERM", "ok",
         one<AF_INET, SOCK_RAW, IPPROTO_RAW>),
    inet("sockets.raw6", "send and see raw IPv6 packets", kType, "EPERM", "EPERM|EAFNOSUPPORT",
         "ok|EAFNOSUPPORT", one<AF_INET6, SOCK_RAW, IPPROTO_ICMPV6>),
    // SOCK_PACKET of AF_INET is what AF_PACKET was called once.
    inet("sockets.inet_packet", "see raw packets by the old name", "filter: the type; no capability",
         "EPROTONOSUPPORT", "EPERM", "ok|not tried",
         [] {
           if (spares_modules() && !is_there("PACKET")) not_tried();
           return one<AF_INET, SOCK_PACKET, 0>();
         }),
    inet("sockets.ping", "send pings", "own network, whose net.ipv4.ping_group_range is empty", "EACCES",
         "EACCES", "ok|EACCES" /* by the host's ping_group_range */, one<AF_INET, SOCK_DGRAM, IPPROTO_ICMP>),
    inet("sockets.mptcp", "open a multipath TCP socket", kProtocol, "EPROTONOSUPPORT",
         "ok|EPROTONOSUPPORT|ENOPROTOOPT", "ok|EPROTONOSUPPORT|ENOPROTOOPT",
         one<AF_INET, SOCK_STREAM, IPPROTO_MPTCP>),
    inet("sockets.udplite", "open a UDP-Lite socket", kProtocol, "EPROTONOSUPPORT", "ok|EPROTONOSUPPORT",
         "ok|EPROTONOSUPPORT", one<AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE>),
    inet("sockets.sctp", "open an SCTP socket", kProtocol, "EPROTONOSUPPORT", kIfThere, kIfThere,
         [] { return one_loadable<AF_INET, SOCK_STREAM, IPPROTO_SCTP>("SCTP"); }),
    inet("sockets.sctp_seqpacket", "open an SCTP socket of the other type", kProtocol, "EPROTONOSUPPORT",
         kIfThere, kIfThere, [] { return one_loadable<AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP>("SCTP"); }),
    inet("sockets.dccp", "open a DCCP socket", kProtocol, "EPROTONOSUPPORT", kIfThere, kIfThere,
         [] { return one_loadable<AF_INET, SOCK_DCCP, IPPROTO_DCCP>("DCCP"); }),
    inet("sockets.l2tp", "open an L2TP socket", kProtocol, "EPROTONOSUPPORT", kIfThere, kIfThere,
         [] { return one_loadable<AF_INET, SOCK_DGRAM, 115>("L2TP/IP"); }),
    inet("sockets.smc_by_protocol", "open an SMC socket by its protocol of TCP", kProtocol, "EPROTONOSUPPORT",
         kIfThere, kIfThere, [] { return one_loadable<AF_INET, SOCK_STREAM, 256>("SMC"); }),
};

}  // namespace

std::span<const Attack> socket_family_attacks() { return kAttacks; }

}  // namespace sbx::attack
