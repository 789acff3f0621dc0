#include "keeper/peer.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "os/file.h"

namespace sbx {
namespace {

Result<int> socket_fact(int socket, int option, const char* name) {
  int value = 0;
  socklen_t size = sizeof value;
  if (getsockopt(socket, SOL_SOCKET, option, &value, &size) != 0)
    return fail(system_error("getsockopt", name, errno));
  return value;
}

// A pair has no name, what listens says who made it, and only root can bind where sbxd listens.
Result<void> check_is_connection(int socket) {
  sockaddr_un own{};
  socklen_t size = sizeof own;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&own), &size) != 0)
    return fail(system_error("getsockname", "", errno));
  const bool named = size > offsetof(sockaddr_un, sun_path) && own.sun_path[0] == '/';
  if (own.sun_family != AF_UNIX || !named || TRY(socket_fact(socket, SO_TYPE, "SO_TYPE")) != SOCK_STREAM ||
      TRY(socket_fact(socket, SO_ACCEPTCONN, "SO_ACCEPTCONN")) != 0) {
    return fail("who asks: no connection of a client");
  }
  return {};
}

// The name of a memory file is chosen when it is made, and so is its owner (memfd_create(2)).
Result<std::vector<Token>> read_tokens(int fd) {
  const struct stat status = TRY(os::stat_fd(fd, "tokens"));
  std::array<char, 64> target{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = readlink(link.c_str(), target.data(), target.size());
  const std::string expected = std::string("/memfd:") + kTokensFileName + " (deleted)";
  if (status.st_uid != 0 || length < 0 ||
      std::string_view(target.data(), static_cast<std::size_t>(length)) != expected)
    return fail("who asks: no tokens of sbxd's");
  const std::string bytes = TRY(os::read_sealed_memfd(fd, "tokens", kMostTokenBytes));
  return decode_tokens(bytes);
}

}  // namespace

PeerIdentity nobody() {
  constexpr uid_t kNobody = 65534;
  return {.uid = kNobody, .gid = kNobody, .groups = {}, .token = {}};
}

Caller PeerIdentity::caller() const { return {token ? 0 : uid, token ? token->name : ""}; }

bool PeerIdentity::may_use_what(const PeerIdentity& owner, const std::string& project, bool has_binds) const {
  if (is_root()) return true;
  if (token && has_binds) return false;
  if (!token) return !owner.token && owner.uid == uid;
  if (token->scope == Scope::admin) return true;
  const bool own = owner.token && owner.token->name == token->name;
  return (own || !project.empty()) && token->is_for_project(project);
}

Result<PeerIdentity> identify_peer(int descriptor, std::int64_t token) {
  PeerIdentity peer;
  if (token >= 0) {
    std::vector<Token> tokens = TRY(read_tokens(descriptor));
    const auto index = static_cast<std::size_t>(token);
    if (index >= tokens.size()) return fail("who asks: there is no such token");
    peer.uid = static_cast<uid_t>(-1);
    peer.gid = static_cast<gid_t>(-1);
    peer.token = std::move(tokens[index]);
    return peer;
  }
  TRY(check_is_connection(descriptor));
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return fail(system_error("getsockopt", "SO_PEERCRED", errno));
  peer.uid = credentials.uid;
  peer.gid = credentials.gid;
  // Of a user with more groups than there is room for, the kernel says how many there are.
  socklen_t bytes = 64 * sizeof(gid_t);
  peer.groups.resize(bytes / sizeof(gid_t));
  while (getsockopt(descriptor, SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &bytes) != 0) {
    if (errno != ERANGE) return fail(system_error("getsockopt", "SO_PEERGROUPS", errno));
    peer.groups.resize(bytes / sizeof(gid_t));
  }
  peer.groups.resize(bytes / sizeof(gid_t));
  return peer;
}

}  // namespace sbx
