// Asks for kernel memory that is charged to no memory limit, or that comes out of one number for the whole
// machine: `uncharged calls DIRECTORY`, each once and without harm; `uncharged tcp MEGABYTES` fills the
// buffers of TCP sockets until they hold that much.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/mempolicy.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstdlib>
#include <vector>

#include "attempt.h"

namespace {

using sbx::probe::attempt;
using sbx::probe::say;

constexpr unsigned long kHighBit = 1UL << 32U;
constexpr const char* kAcl = "system.posix_acl_access";

// An ACL of so many entries, as setxattr takes it: 4 bytes and 8 for each.
std::vector<char> acl_of(unsigned entries) {
  std::vector<posix_acl_xattr_entry> list{{ACL_USER_OBJ, 6, ~0U}};
  while (list.size() + 3 < entries) {
    list.push_back({ACL_USER, 4, 1 + static_cast<unsigned>(list.size())});
  }
  for (const auto tag : {ACL_GROUP_OBJ, ACL_MASK, ACL_OTHER}) {
    list.push_back({static_cast<__le16>(tag), 4, ~0U});
  }
  std::vector<char> bytes(sizeof(__le32) + list.size() * sizeof list[0]);
  const __le32 version = POSIX_ACL_XATTR_VERSION;
  std::memcpy(bytes.data(), &version, sizeof version);
  std::memcpy(bytes.data() + sizeof version, list.data(), list.size() * sizeof list[0]);
  return bytes;
}

void attributes(const std::string& directory) {
  const std::string file = directory + "/attributes";
  const int fd = open(file.c_str(), O_CREAT | O_RDWR, 0600);
  const std::vector<char> small = acl_of(31);  // 252 bytes
  const std::vector<char> large = acl_of(32);  // 260 bytes
  attempt("acl_small",
          [&] { return syscall(SYS_setxattr, file.c_str(), kAcl, small.data(), small.size(), 0); });
  attempt("acl_setxattr",
          [&] { return syscall(SYS_setxattr, file.c_str(), kAcl, large.data(), large.size(), 0); });
  attempt("acl_lsetxattr",
          [&] { return syscall(SYS_lsetxattr, file.c_str(), kAcl, large.data(), large.size(), 0); });
  attempt("acl_fsetxattr", [&] { return syscall(SYS_fsetxattr, fd, kAcl, large.data(), large.size(), 0); });
  // The kernel reads all of the size: E2BIG.
  attempt("acl_high", [&] {
    return syscall(SYS_setxattr, file.c_str(), kAcl, large.data(), kHighBit | small.size(), 0);
  });
  attempt("setxattrat", [] { return syscall(463, AT_FDCWD, "", 0, "", nullptr, 0); });
  (void)unlink(file.c_str());
}

void placement() {
  const unsigned long node = 1;
  attempt("set_mempolicy", [&] { return syscall(SYS_set_mempolicy, MPOL_BIND, &node, 64); });
}

template <class T>
void set_option(const std::string& name, int family, int type, unsigned long level, unsigned long option,
                const T& value) {
  attempt(name, [&] {
    const int fd = socket(family, type, 0);
    const int yes = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
    return syscall(SYS_setsockopt, fd, level, option, &value, sizeof value);
  });
}

void filters() {
  sock_filter all = BPF_STMT(BPF_RET | BPF_K, 0xffff);
  const sock_fprog program{1, &all};
  const int no_program = -1;
  set_option("attach_filter", AF_UNIX, SOCK_DGRAM, SOL_SOCKET, SO_ATTACH_FILTER, program);
  set_option("attach_filter_high", AF_UNIX, SOCK_DGRAM, SOL_SOCKET | kHighBit, SO_ATTACH_FILTER | kHighBit,
             program);
  set_option("reuseport_cbpf", AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, program);
  set_option("attach_bpf", AF_UNIX, SOCK_DGRAM, SOL_SOCKET, SO_ATTACH_BPF, no_program);
  set_option("reuseport_ebpf", AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, no_program);
}

constexpr unsigned kLoopback = 1;  // the index of lo in every network
in_addr v4(std::uint32_t address) { return {htonl(address)}; }

sockaddr_storage group_of(int family, std::uint8_t last) {
  sockaddr_storage storage{};
  if (family == AF_INET) {
    auto& address = reinterpret_cast<sockaddr_in&>(storage);
    address.sin_family = AF_INET;
    address.sin_addr = v4(0xefff0000U | last);  // 239.255.0.x
  } else {
    auto& address = reinterpret_cast<sockaddr_in6&>(storage);
    address.sin6_family = AF_INET6;
    address.sin6_addr.s6_addr[0] = 0xff;
    address.sin6_addr.s6_addr[1] = 0x11;
    address.sin6_addr.s6_addr[15] = last;
  }
  return storage;
}

sockaddr_storage source_of(int family) {
  sockaddr_storage storage = group_of(family, 1);
  if (family == AF_INET) reinterpret_cast<sockaddr_in&>(storage).sin_addr = v4(0x0a000001);
  if (family == AF_INET6) reinterpret_cast<sockaddr_in6&>(storage).sin6_addr.s6_addr[0] = 0xfd;
  return storage;
}

void multicast(const std::string& name, int family, int level) {
  const group_req join{kLoopback, group_of(family, 1)};
  const group_source_req source{kLoopback, group_of(family, 1), source_of(family)};
  const auto on_member = [&](const std::string& what, int option, const void* value, socklen_t size) {
    attempt(name + what, [&] {
      const int fd = socket(family, SOCK_DGRAM, 0);
      if (option == MCAST_UNBLOCK_SOURCE) (void)setsockopt(fd, level, MCAST_JOIN_GROUP, &join, sizeof join);
      if (option == MCAST_UNBLOCK_SOURCE) (void)setsockopt(fd, level, MCAST_BLOCK_SOURCE, value, size);
      if (option == MCAST_BLOCK_SOURCE || option == MCAST_MSFILTER || option == MCAST_LEAVE_GROUP) {
        (void)setsockopt(fd, level, MCAST_JOIN_GROUP, &join, sizeof join);
      }
      if (option == MCAST_LEAVE_SOURCE_GROUP) {
        (void)setsockopt(fd, level, MCAST_JOIN_SOURCE_GROUP, value, size);
      }
      return setsockopt(fd, level, option, value, size);
    });
  };
  on_member("_mcast_join", MCAST_JOIN_GROUP, &join, sizeof join);
  on_member("_mcast_leave", MCAST_LEAVE_GROUP, &join, sizeof join);
  on_member("_mcast_block", MCAST_BLOCK_SOURCE, &source, sizeof source);
  on_member("_mcast_unblock", MCAST_UNBLOCK_SOURCE, &source, sizeof source);
  on_member("_mcast_join_source", MCAST_JOIN_SOURCE_GROUP, &source, sizeof source);
  on_member("_mcast_leave_source", MCAST_LEAVE_SOURCE_GROUP, &source, sizeof source);
  group_filter filter{};
  filter.gf_interface = kLoopback;
  filter.gf_group = group_of(family, 1);
  filter.gf_fmode = MCAST_EXCLUDE;
  filter.gf_numsrc = 1;
  filter.gf_slist[0] = source_of(family);
  on_member("_mcast_filter", MCAST_MSFILTER, &filter, GROUP_FILTER_SIZE(1));
}

void ip_multicast() {
  const ip_mreqn member{v4(0xefff0001), v4(INADDR_LOOPBACK), kLoopback};
  set_option("ip_join", AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_ADD_MEMBERSHIP, member);
  const ip_mreq_source source{v4(0xefff0001), v4(INADDR_LOOPBACK), v4(0x0a000001)};
  set_option("ip_join_source", AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, source);
  // On what is no member the kernel says EADDRNOTAVAIL or EINVAL.
  set_option("ip_leave_source", AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, source);
  set_option("ip_block", AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_BLOCK_SOURCE, source);
  set_option("ip_unblock", AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_UNBLOCK_SOURCE, source);
  const ip_msfilter filter{v4(0xefff0001), v4(INADDR_LOOPBACK), MCAST_EXCLUDE, 0, {}};
  set_option("ip_filter", AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_MSFILTER, filter);
  const sockaddr_storage group6 = group_of(AF_INET6, 1);
  const ipv6_mreq member6{reinterpret_cast<const sockaddr_in6&>(group6).sin6_addr, kLoopback};
  set_option("ipv6_join", AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_JOIN_GROUP, member6);
}

void kept_options() {
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
  set_option("ipv6_flow_label", AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, 32, FlowLabel{});
  struct HopLimit {  // a cmsghdr and its data
    std::size_t length = CMSG_LEN(sizeof(int));
    int level = IPPROTO_IPV6;
    int type = IPV6_HOPLIMIT;
    int value = 1;
    int pad = 0;
  };
  set_option("ipv6_packet_options", AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_2292PKTOPTIONS, HopLimit{});
  tcp_md5sig key{};
  auto& peer = reinterpret_cast<sockaddr_in&>(key.tcpm_addr);
  peer.sin_family = AF_INET;
  peer.sin_addr = v4(0x0a000001);
  key.tcpm_keylen = 8;
  set_option("tcp_md5", AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_MD5SIG, key);
  set_option("tcp_md5_ext", AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_MD5SIG_EXT, key);
  set_option("tcp_ao", AF_INET, SOCK_STREAM, IPPROTO_TCP, 38 /* TCP_AO_ADD_KEY */, key);
}

// Sends on new pairs of sockets, whose other end never reads, until they hold `wanted` bytes.
void fill_tcp(long wanted) {
  constexpr int kPairs = 200;
  static char bytes[1U << 20U];
  const int server = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr = v4(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* where = reinterpret_cast<sockaddr*>(&address);
  if (bind(server, where, size) != 0 || listen(server, kPairs) != 0 ||
      getsockname(server, where, &size) != 0) {
    return sbx::probe::report("tcp", -1);
  }
  long held = 0;
  for (int i = 0; i < kPairs && held < wanted; ++i) {
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(client, where, size) != 0 || accept(server, nullptr, nullptr) < 0) {
      return sbx::probe::report("tcp", -1);
    }
    while (true) {
      const ssize_t sent = send(client, bytes, sizeof bytes, MSG_DONTWAIT);
      if (sent <= 0) break;
      held += sent;
    }
  }
  say("tcp", held < wanted ? "stopped" : "filled");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string group = argc > 2 ? argv[1] : "";
  if (group == "tcp") fill_tcp(std::atol(argv[2]) << 20);
  if (group != "calls") return 0;
  attributes(argv[2]);
  placement();
  filters();
  multicast("ip", AF_INET, IPPROTO_IP);
  multicast("ipv6", AF_INET6, IPPROTO_IPV6);
  ip_multicast();
  kept_options();
  return 0;
}
