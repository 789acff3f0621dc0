// Options of sockets: programs and protocols put on them, rights, and what the kernel keeps for each.
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

#include "attempts.h"

namespace sbx::attack {
namespace {

// Sets it on a socket of its own, which may be refused before (under strict, and IPv6 on some hosts).
template <class T>
long set(int family, int type, unsigned long level, unsigned long option, const T& value) {
  const int fd = socket(family, type, 0);
  return fd < 0 ? -1 : syscall(SYS_setsockopt, fd, level, option, &value, sizeof value);
}

template <int family, int type, unsigned long level, unsigned long option, int value>
long set_number() {
  return set(family, type, level, option, value);
}

template <int family, unsigned long level, unsigned long option>
long set_filter() {
  sock_filter all = BPF_STMT(BPF_RET | BPF_K, 0xffff);
  const sock_fprog program{1, &all};
  const int fd = socket(family, SOCK_DGRAM, 0);
  const int yes = 1;
  if (fd < 0) return -1;
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
  return syscall(SYS_setsockopt, fd, level, option, &program, sizeof program);
}

// On a connected socket, as a protocol above TCP wants it.
template <unsigned long level, unsigned long option, std::size_t size>
long set_ulp(const char (&name)[size]) {
  const int server = socket(AF_INET, SOCK_STREAM, 0);
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  if (server < 0 || client < 0) return -1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* where = reinterpret_cast<sockaddr*>(&address);
  if (bind(server, where, length) != 0 || listen(server, 1) != 0) return -1;
  if (getsockname(server, where, &length) != 0 || connect(client, where, length) != 0) return -1;
  return syscall(SYS_setsockopt, client, level, option, name, size - 1);
}

long set_flow_label() {
  // linux/in6.h, which glibc's netinet/in.h excludes
  struct FlowLabel {
    in6_addr destination = in6addr_loopback;
    std::uint32_t label = 0;
    std::uint8_t action = 0;  // IPV6_FL_A_GET
    std::uint8_t share = 1;   // IPV6_FL_S_EXCL
    std::uint16_t flags = 1;  // IPV6_FL_F_CREATE
    std::uint16_t expires = 6;
    std::uint16_t linger = 1;
    std::uint32_t pad = 0;
  };
  return set(AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, 32 /* IPV6_FLOWLABEL_MGR */, FlowLabel{});
}

long set_packet_options() {
  struct HopLimit {  // a cmsghdr and its data
    std::size_t length = CMSG_LEN(sizeof(int));
    int level = IPPROTO_IPV6;
    int type = IPV6_HOPLIMIT;
    int value = 1;
    int pad = 0;
  };
  return set(AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_2292PKTOPTIONS, HopLimit{});
}

long set_hop_options() {
  const std::uint8_t padding[8] = {0, 0, 1, 4, 0, 0, 0, 0};  // PadN
  return set(AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_HOPOPTS, padding);
}

// Out by one address and back by another: loose source routing.
long set_source_route() {
  const std::uint8_t route[8] = {131, 7, 4, 127, 0, 0, 1, 0};
  return set(AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_OPTIONS, route);
}

template <unsigned long option>
long set_md5_key() {
  tcp_md5sig key{};
  auto& peer = reinterpret_cast<sockaddr_in&>(key.tcpm_addr);
  peer.sin_family = AF_INET;
  peer.sin_addr.s_addr = htonl(0x0a000001);
  key.tcpm_keylen = 8;
  return set(AF_INET, SOCK_STREAM, IPPROTO_TCP, option, key);
}

long set_ao_key() {
  // linux/tcp.h, struct tcp_ao_add, which Debian 12's does not have yet
  struct {
    sockaddr_storage peer;
    char algorithm[64];
    std::int32_t interface;
    std::uint32_t flags;
    std::uint32_t reserved;
    std::uint8_t prefix, send_id, receive_id, mac_size, key_flags, key_size;
    std::uint8_t key[80];
  } add{};
  auto& peer = reinterpret_cast<sockaddr_in&>(add.peer);
  peer.sin_family = AF_INET;
  peer.sin_addr.s_addr = htonl(0x0a000001);
  std::strcpy(add.algorithm, "hmac(sha1)");
  add.prefix = 32;
  add.send_id = add.receive_id = 100;
  add.key_size = 8;
  return set(AF_INET, SOCK_STREAM, IPPROTO_TCP, 38 /* TCP_AO_ADD_KEY */, add);
}

long bind_to_loopback() {
  const char name[] = "lo";
  return set(AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_BINDTODEVICE, name);
}

constexpr const char* kFilter = "filter: the option";

// ENOENT: the kernel does not have it, and only who has the right has it load one.
constexpr const char* kUlpIfThere = "ok|ENOENT|not tried";

constexpr Attack filtered(std::string_view name, std::string_view aim, std::string_view unfiltered,
                          std::string_view outside, long (*attempt)()) {
  return {.name = name,
          .aim = aim,
          .control = kFilter,
          .inside = "EPERM",
          .unfiltered = unfiltered,
          .outside = outside,
          .attempt = attempt};
}

// On an internet socket, which strict has none of.
constexpr Attack filtered_inet(std::string_view name, std::string_view aim, std::string_view unfiltered,
                               std::string_view outside, long (*attempt)()) {
  Attack attack = filtered(name, aim, unfiltered, outside, attempt);
  attack.strict = "EAFNOSUPPORT";
  return attack;
}

constexpr Attack privileged(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {.name = name,
          .aim = aim,
          .control = "no capability",
          .inside = "EPERM",
          .strict = "EAFNOSUPPORT",
          .attempt = attempt};
}

constexpr Attack harmless(std::string_view name, std::string_view aim, std::string_view control,
                          long (*attempt)()) {
  return {.name = name,
          .aim = aim,
          .control = control,
          .inside = "ok",
          .strict = "EAFNOSUPPORT",
          .unfiltered = "ok",
          .attempt = attempt};
}

constexpr Attack kAttacks[] = {
    filtered("sockets.attach_filter", "put a packet filter's program on a socket", "ok", "ok",
             set_filter<AF_UNIX, SOL_SOCKET, SO_ATTACH_FILTER>),
    filtered("sockets.attach_filter_high", "the same with bits set that the kernel does not read", "ok", "ok",
             set_filter<AF_UNIX, SOL_SOCKET | kHighBit, SO_ATTACH_FILTER | kHighBit>),
    filtered_inet("sockets.reuseport_filter", "put a program on a group of sockets", "ok", "ok",
                  set_filter<AF_INET, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF>),
    // -1 is no program of bpf(2), which is refused itself.
    filtered("sockets.attach_bpf", "put a program of bpf(2) on a socket", "EBADF", "EBADF",
             set_number<AF_UNIX, SOCK_DGRAM, SOL_SOCKET, SO_ATTACH_BPF, -1>),
    filtered_inet("sockets.reuseport_bpf", "put a program of bpf(2) on a group of sockets", "EBADF|EINVAL",
                  "EBADF|EINVAL", set_number<AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, -1>),
    filtered_inet("sockets.tcp_ulp_tls", "have the kernel encrypt a TCP connection", kUlpIfThere, kUlpIfThere,
                  [] {
                    if (spares_modules()) not_tried();
                    return set_ulp<IPPROTO_TCP, TCP_ULP>("tls");
                  }),
    filtered_inet("sockets.tcp_ulp_espintcp", "have the kernel take a TCP connection for IPsec", kUlpIfThere,
                  kUlpIfThere,
                  [] {
                    if (spares_modules()) not_tried();
                    return set_ulp<IPPROTO_TCP, TCP_ULP>("espintcp");
                  }),
    filtered_inet("sockets.tcp_ulp_high", "the same with bits set that the kernel does not read", kUlpIfThere,
                  kUlpIfThere,
                  [] {
                    if (spares_modules()) not_tried();
                    return set_ulp<IPPROTO_TCP | kHighBit, TCP_ULP | kHighBit>("espintcp");
                  }),
    filtered_inet("sockets.flow_label", "take one of the machine's IPv6 flow labels", "ok|EAFNOSUPPORT",
                  "ok|EAFNOSUPPORT", set_flow_label),
    filtered_inet("sockets.packet_options", "have the kernel keep packet options by the old call",
                  "ok|EAFNOSUPPORT", "ok|EAFNOSUPPORT", set_packet_options),
    filtered_inet("sockets.md5_key", "have the kernel keep keys of TCP", "ok|ENOPROTOOPT", "ok|ENOPROTOOPT",
                  set_md5_key<TCP_MD5SIG>),
    filtered_inet("sockets.md5_key_for_prefix", "the same for a prefix", "ok|ENOPROTOOPT", "ok|ENOPROTOOPT",
                  set_md5_key<TCP_MD5SIG_EXT>),
    filtered_inet("sockets.ao_key", "have the kernel keep newer keys of TCP", "ok|ENOPROTOOPT",
                  "ok|ENOPROTOOPT", set_ao_key),
    privileged("sockets.hop_options", "send IPv6 packets with options for every router", set_hop_options),
    privileged("sockets.mark", "mark packets, to pass the host's packet filter",
               set_number<AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_MARK, 1>),
    privileged("sockets.priority", "have packets pass all others",
               set_number<AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_PRIORITY, 7>),
    privileged("sockets.receive_buffer", "take a receive buffer above the machine's limit",
               set_number<AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_RCVBUFFORCE, 1 << 28>),
    privileged("sockets.send_buffer", "take a send buffer above the machine's limit",
               set_number<AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_SNDBUFFORCE, 1 << 28>),
    privileged("sockets.transparent", "answer for addresses of others",
               set_number<AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_TRANSPARENT, 1>),
    privileged("sockets.transparent6", "answer for IPv6 addresses of others",
               set_number<AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, 75 /* IPV6_TRANSPARENT */, 1>),
    privileged("sockets.tcp_repair", "make up the state of a TCP connection",
               set_number<AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_REPAIR, 1>),
    {.name = "sockets.debug",
     .aim = "have a socket write to the kernel's log",
     .control = "no capability",
     .inside = "EACCES",
     .strict = "EAFNOSUPPORT",
     .attempt = set_number<AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_DEBUG, 1>},
    // Newer kernels ask for no right.
    {.name = "sockets.busy_poll",
     .aim = "have reads take a CPU in the kernel",
     .control = "no capability (older kernels); the CPU time is one's own, and lo has no card to poll",
     .inside = "ok|EPERM",
     .strict = "EAFNOSUPPORT",
     .attempt = set_number<AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_BUSY_POLL, 1'000'000>},
    // Older kernels ask for no right.
    {.name = "sockets.source_route",
     .aim = "send packets by a way of one's own",
     .control = "no capability (newer kernels); they go nowhere but to oneself",
     .inside = "EPERM|ok",
     .strict = "EAFNOSUPPORT",
     .attempt = set_source_route},
    harmless("sockets.bind_to_device", "use one interface alone", "none: there is lo alone",
             bind_to_loopback),
    {.name = "sockets.pass_security",
     .aim = "learn the security labels of senders",
     .control = "none: senders are one's own processes",
     .inside = "ok",
     .attempt = set_number<AF_UNIX, SOCK_DGRAM, SOL_SOCKET, SO_PASSSEC, 1>},
    // Kernels without IPsec (CONFIG_XFRM) have no such option.
    filtered_inet("sockets.udp_encapsulation", "have the kernel take UDP packets for IPsec", "ok|ENOPROTOOPT",
                  "ok|ENOPROTOOPT",
                  set_number<AF_INET, SOCK_DGRAM, IPPROTO_UDP, UDP_ENCAP, UDP_ENCAP_ESPINUDP>),
    // UDP obeys the options of its other variant, too.
    filtered_inet("sockets.udp_encapsulation_lite", "the same by the level of UDP-Lite", "ok|ENOPROTOOPT",
                  "ok|ENOPROTOOPT",
                  set_number<AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, UDP_ENCAP, UDP_ENCAP_ESPINUDP>),
    filtered_inet(
        "sockets.udp_encapsulation_high", "the same with bits set that the kernel does not read",
        "ok|ENOPROTOOPT", "ok|ENOPROTOOPT",
        set_number<AF_INET6, SOCK_DGRAM, IPPROTO_UDP | kHighBit, UDP_ENCAP | kHighBit, UDP_ENCAP_ESPINUDP>),
};

}  // namespace

std::span<const Attack> socket_option_attacks() { return kAttacks; }

}  // namespace sbx::attack
