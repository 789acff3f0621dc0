// Who one says one is, to whoever listens on a Unix socket.
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "attempts.h"

namespace sbx::attack {
namespace {

struct Pair {
  int ends[2] = {-1, -1};
};

bool open_pair(Pair& pair) {
  const int on = 1;
  return socketpair(AF_UNIX, SOCK_DGRAM, 0, pair.ends) == 0 &&
         setsockopt(pair.ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0;
}

// Sends a message as `claimed`, and looks whether it arrives as such.
long claim(ucred claimed) {
  Pair pair;
  if (!open_pair(pair)) return -1;
  char byte = 'x';
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof claimed)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_CREDENTIALS;
  header->cmsg_len = CMSG_LEN(sizeof claimed);
  std::memcpy(CMSG_DATA(header), &claimed, sizeof claimed);
  if (sendmsg(pair.ends[0], &message, 0) < 0 || recvmsg(pair.ends[1], &message, 0) < 0) return -1;
  ucred seen{};
  std::memcpy(&seen, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof seen);
  return only_if(std::memcmp(&seen, &claimed, sizeof seen) == 0);
}

// Standard input came from outside: who made it? Nobody inside has a number for him.
long peer_of_input() {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(0, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) return -1;
  return peer.pid > 0 ? 0 : fail(ESRCH);
}

constexpr const char* kNoCapability = "no capability";

constexpr Attack kAttacks[] = {
    {.name = "credentials.pid",
     .aim = "say in a message that it comes from init",
     .control = "no capability",
     .inside = "EPERM",
     .attempt =
         [] {
           return claim({1, getuid(), getgid()});
         }},
    {.name = "credentials.foreign_pid",
     .aim = "say in a message that it comes from a process of the host",
     .control = "no capability; own pid namespace",
     .inside = "EPERM",
     .attempt =
         [] {
           return claim({static_cast<pid_t>(target_number("foreign")), getuid(), getgid()});
         }},
    {.name = "credentials.user",
     .aim = "say in a message that one is another user",
     .control = kNoCapability,
     .inside = "EPERM",
     .attempt =
         [] {
           return claim({getpid(), 65533, getgid()});
         }},
    {.name = "credentials.root",
     .aim = "say in a message that one is root",
     .control = "no capability; root is mapped to an id without rights",
     .inside = "EPERM",
     .attempt =
         [] {
           return claim({getpid(), 0, getgid()});
         }},
    {.name = "credentials.group",
     .aim = "say in a message that one is in another group",
     .control = kNoCapability,
     .inside = "EPERM",
     .attempt =
         [] {
           return claim({getpid(), getuid(), 65533});
         }},
    // Standard input is a pipe outside; one that is a socket is relayed, not passed.
    {.name = "credentials.peer_of_input",
     .aim = "learn which process of the caller made standard input",
     .control = "streams are relayed or pipes; own pid namespace",
     .inside = "ENOTSOCK",
     .outside = "not tried: it is one's own",
     .attempt = peer_of_input},
};

}  // namespace

std::span<const Attack> credential_attacks() { return kAttacks; }

}  // namespace sbx::attack
