#include "os/socket.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace sbx::os {

Result<std::pair<UniqueFd, UniqueFd>> seqpacket_pair() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail(system_error("socketpair", "", errno));
  }
  return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

Result<void> send_message(int socket, std::string_view bytes, std::span<const int> descriptors) {
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxDescriptors * sizeof(int))> control{};
  if (descriptors.size() > kMaxDescriptors) return fail("sendmsg: too many descriptors for one message");
  if (!descriptors.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
  }
  while (sendmsg(socket, &header, MSG_NOSIGNAL) < 0) {
    if (errno == ECONNRESET) errno = EPIPE;  // it is closed, with something unread (unix(7))
    if (errno != EINTR) return fail(system_error("sendmsg", "", errno));
  }
  return {};
}

Result<std::optional<Message>> receive_message(int socket, std::size_t limit) {
  Message message;
  message.bytes.resize(limit);
  iovec part{message.bytes.data(), limit};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxDescriptors * sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t size = -1;
  while ((size = recvmsg(socket, &header, MSG_CMSG_CLOEXEC)) < 0) {
    // ECONNRESET, once: the other end closed with something of ours unread; what it sent is still to come.
    if (errno != EINTR && errno != ECONNRESET) return fail(system_error("recvmsg", "", errno));
  }
  for (cmsghdr* part_of = CMSG_FIRSTHDR(&header); part_of != nullptr;
       part_of = CMSG_NXTHDR(&header, part_of)) {
    if (part_of->cmsg_level != SOL_SOCKET || part_of->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part_of->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part_of) + i * sizeof(int), sizeof fd);
      message.descriptors.emplace_back(fd);
    }
  }
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
    return fail("recvmsg: a message longer than allowed");
  // Our messages are never empty: a size of 0 is end-of-file.
  if (size == 0) return std::optional<Message>{};
  message.bytes.resize(static_cast<std::size_t>(size));
  return std::optional(std::move(message));
}

}  // namespace sbx::os
