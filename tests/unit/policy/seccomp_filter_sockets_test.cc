// The shipped filters in the kernel: which sockets can be made, and what can be set on them.
#include <sys/socket.h>

#include "kernel_filter.h"

namespace sbx {
namespace {

using namespace testing;

TEST_CASE("other families than the allowed ones do not exist") {
  FOR_EACH_FILTER {
    for (long family = 0; family < 48; ++family) {
      CAPTURE(family);
      const long result = loaded_.run(SYS_socket, family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      const bool inet = family == AF_INET || family == AF_INET6;
      const bool netlink = family == AF_NETLINK && loaded_.is("permissive");
      if (family == AF_UNIX || netlink) {
        CHECK(result >= 0);
      } else if (inet && !loaded_.is("strict")) {
        CHECK(result != -EPERM);
        if (family != AF_INET6) CHECK(result >= 0);  // a host may have no IPv6
      } else {
        CHECK(result == -EAFNOSUPPORT);
      }
      // The kernel looks at the low 32 bits alone, and so must the filter.
      CHECK(loaded_.run(SYS_socket, family | kHighBits, SOCK_DGRAM | SOCK_CLOEXEC, 0) == result);
    }
    CHECK(loaded_.run(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, 0) == -EFAULT);
    CHECK(loaded_.run(SYS_socketpair, AF_INET, SOCK_STREAM, 0, 0) == -EAFNOSUPPORT);
    CHECK(loaded_.run(SYS_socket, AF_NETLINK, SOCK_RAW, 12 /* NETLINK_NETFILTER */) == -EAFNOSUPPORT);
  }
}

TEST_CASE("internet sockets are TCP, UDP and ping alone") {
  for (const Loaded& filter : loaded()) {
    if (filter.is("strict")) continue;
    CAPTURE(filter.name);
    CHECK(filter.run(SYS_socket, AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 6) >= 0);
    CHECK(filter.run(SYS_socket, AF_INET, SOCK_DGRAM, 17) >= 0);
    CHECK(filter.run(SYS_socket, AF_INET, SOCK_STREAM, 132 /* SCTP */) == -EPROTONOSUPPORT);
    CHECK(filter.run(SYS_socket, AF_INET, SOCK_STREAM, 262 /* MPTCP */) == -EPROTONOSUPPORT);
    CHECK(filter.run(SYS_socket, AF_INET6, SOCK_DGRAM, 115 /* L2TP */) == -EPROTONOSUPPORT);
    CHECK(filter.run(SYS_socket, AF_INET, 6 /* SOCK_DCCP */, 0) == -EPROTONOSUPPORT);
    CHECK(filter.run(SYS_socket, AF_INET, 10 /* SOCK_PACKET */, 0) == -EPROTONOSUPPORT);
    CHECK(filter.run(SYS_socket, AF_INET, SOCK_RAW, 1) == -EPERM);
  }
}

TEST_CASE("TCP_ULP cannot be set") {
  FOR_EACH_FILTER {
    const auto set = [&](long level, long option) {
      return loaded_.run([=] {
        const long fd = call(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
        return fd < 0 ? fd : call(SYS_setsockopt, fd, level, option, pointer("tls"), 3);
      });
    };
    CHECK(set(6, 31) == -EPERM);
    CHECK(set(6 | kHighBits, 31 | kHighBits) == -EPERM);
    CHECK(set(6, 1) == -EOPNOTSUPP);
    CHECK(set(SOL_SOCKET, 31) != -EPERM);
  }
}

TEST_CASE("options that bring kernel code to a socket, or that are kept in memory of nobody, cannot be set") {
  struct Option {
    long level;
    std::vector<long> refused;
    std::vector<long> allowed;
  };
  const std::vector<Option> options{
      {SOL_SOCKET, {26, 50, 51, 52}, {2, 7, 8, 9, 27 /* SO_DETACH_FILTER */, 44, 49}},
      {0, {37, 38, 39, 40, 41, 43, 44, 46, 47, 48}, {1, 26, 35, 36, 42, 45, 50}},
      {41, {6, 20, 32, 42, 43, 44, 46, 47, 48}, {21, 26, 45, 50}},
      {6, {14, 31, 32, 38}, {1, 6, 26}},
      {17, {100 /* UDP_ENCAP */}, {1, 101, 102, 103, 104}},
      {136 /* SOL_UDPLITE, which UDP obeys, too */, {100}, {1, 101}}};
  const auto set = [](const Loaded& filter, long level, long option) {
    return filter.run(SYS_setsockopt, -1, level, option, 0, 0);  // EBADF, where the filter lets it pass
  };
  FOR_EACH_FILTER {
    for (const Option& one : options) {
      CAPTURE(one.level);
      for (const long option : one.refused) {
        CAPTURE(option);
        CHECK(set(loaded_, one.level, option) == -EPERM);
        CHECK(set(loaded_, one.level | kHighBits, option | kHighBits) == -EPERM);
      }
      for (const long option : one.allowed) CHECK(set(loaded_, one.level, option) == -EBADF);
    }
  }
}

}  // namespace
}  // namespace sbx
