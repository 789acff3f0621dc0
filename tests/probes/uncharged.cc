// Asks for kernel memory that is charged to no memory limit, or that comes out of one number for the whole
// machine: `uncharged calls DIRECTORY`, each once and without harm; `uncharged tcp MEGABYTES` fills the
// buffers of TCP sockets until they hold that much.
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <netinet/in.h>
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

// Sends on new pairs of sockets, whose other end never reads, until they hold `wanted` bytes.
void fill_tcp(long wanted) {
  constexpr int kPairs = 200;
  static char bytes[1U << 20U];
  const int server = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
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
  return 0;
}
