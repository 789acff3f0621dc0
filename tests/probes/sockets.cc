// Opens sockets of every family: sockets all; `sockets builtin`: only those that load no kernel module.
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "attempt.h"

namespace {

using sbx::probe::attempt;

constexpr unsigned long kHighBit = 1UL << 32U;  // above what the kernel reads of an int

void open_socket(const std::string& name, unsigned long family, unsigned long type, unsigned long protocol) {
  attempt(name, [=] { return syscall(SYS_socket, family, type, protocol); });
}

void builtin() {
  open_socket("unix", AF_UNIX, SOCK_STREAM, 0);
  open_socket("tcp", AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  open_socket("tcp6", AF_INET6, SOCK_STREAM, IPPROTO_TCP);
  open_socket("udp", AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_UDP);
  open_socket("netlink_route", AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  open_socket("raw_icmp", AF_INET, SOCK_RAW, IPPROTO_ICMP);
  open_socket("raw_icmp_flags", AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);
  open_socket("raw_icmp_high", AF_INET | kHighBit, SOCK_RAW | kHighBit, IPPROTO_ICMP | kHighBit);
  open_socket("netlink_uevent", AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
  open_socket("netlink_uevent_high", AF_NETLINK | kHighBit, SOCK_RAW, NETLINK_KOBJECT_UEVENT | kHighBit);
  open_socket("netlink_generic", AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
}

void others() {
  open_socket("netlink_audit", AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);
  open_socket("netlink_netfilter", AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
  open_socket("netlink_xfrm", AF_NETLINK, SOCK_RAW, NETLINK_XFRM);
  open_socket("netlink_diag", AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
  open_socket("sctp", AF_INET, SOCK_STREAM, IPPROTO_SCTP);
  open_socket("mptcp", AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
  open_socket("dccp", AF_INET, 6 /* SOCK_DCCP */, IPPROTO_DCCP);
  open_socket("udplite", AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);
  open_socket("l2tp", AF_INET, SOCK_DGRAM, 115 /* IPPROTO_L2TP */);
  open_socket("packet_high", AF_PACKET | kHighBit, SOCK_RAW, 0);
  open_socket("alg_high", AF_ALG | kHighBit, SOCK_SEQPACKET, 0);
  for (unsigned long family = 0; family < 64; ++family) {
    if (family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK) continue;
    for (const unsigned long type : {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET}) {
      open_socket("family_" + std::to_string(family) + "_" + std::to_string(type), family, type, 0);
    }
    attempt("pair_" + std::to_string(family), [family] {
      int ends[2];
      return syscall(SYS_socketpair, family, SOCK_STREAM, 0, ends);
    });
  }
  attempt("tcp_ulp",
          [] { return setsockopt(socket(AF_INET, SOCK_STREAM, 0), IPPROTO_TCP, TCP_ULP, "none", 4); });
  attempt("tcp_ulp_high", [] {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    return syscall(SYS_setsockopt, fd, IPPROTO_TCP | kHighBit, TCP_ULP | kHighBit, "none", 4);
  });
}

}  // namespace

int main(int argc, char** argv) {
  builtin();
  if (argc > 1 && std::string(argv[1]) == "all") others();
  return 0;
}
