// Stands in the place of sbx-init, as one that was taken over: what it says to its supervisor is its first
// argument.
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "../../runtime/wire/init_protocol.h"

namespace {

using sbx::init::kControlFd;
using sbx::init::Message;
using sbx::init::MessageType;

constexpr std::int64_t kHour = 3'600'000'000'000;
constexpr int kMostDescriptors = 253;  // SCM_MAX_FD (unix(7))

std::int64_t now_ns() {
  timespec now{};
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

// `count` times the descriptor `fd` with it.
void send(const void* bytes, std::size_t size, int fd = -1, int count = 0) {
  iovec part{const_cast<void*>(bytes), size};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) static char control[CMSG_SPACE(kMostDescriptors * sizeof(int))];
  if (count > 0) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(static_cast<std::size_t>(count) * sizeof(int));
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(static_cast<std::size_t>(count) * sizeof(int));
    for (int i = 0; i < count; ++i)
      std::memcpy(CMSG_DATA(rights) + static_cast<std::size_t>(i) * sizeof fd, &fd, sizeof fd);
  }
  (void)sendmsg(kControlFd, &header, MSG_NOSIGNAL);
}

void say(MessageType type, int value, std::int64_t when_ns, int fd = -1, int count = 0) {
  Message message;
  message.type = type;
  message.value = value;
  message.when_ns = when_ns;
  send(&message, sizeof message, fd, count);
}

void say_step(unsigned step, int error) {
  Message message;
  message.type = MessageType::exec_failed;
  message.step = step;
  message.value = error;
  send(&message, sizeof message);
}

void start() { say(MessageType::started, 0, now_ns()); }
void exit_with(int status) { say(MessageType::exited, status, now_ns()); }

[[noreturn]] void stay() {
  while (true) (void)pause();
}

void garbage() {
  std::srand(7);
  for (int round = 0; round < 2000; ++round) {
    unsigned char bytes[96];
    for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(std::rand());
    send(bytes, static_cast<std::size_t>(1 + std::rand() % 95));
  }
}

void descriptors() {
  start();
  for (int round = 0; round < 200; ++round) say(MessageType::signal, 0, 0, kControlFd, 1 + round % 20);
  exit_with(0);
}

void too_many_descriptors() {
  start();
  say(MessageType::signal, 0, 0, kControlFd, kMostDescriptors);
  exit_with(0);
}

void play(const std::string& part) {
  if (part == "future") say(MessageType::started, 0, now_ns() + kHour), stay();
  if (part == "past") say(MessageType::started, 0, INT64_MIN), say(MessageType::exited, 0, INT64_MIN);
  if (part == "turned_round") say(MessageType::started, 0, INT64_MAX), say(MessageType::exited, 0, 1);
  if (part == "not_started") exit_with(0);
  if (part == "after_failure") say_step(0, ENOENT), say(MessageType::started, 0, INT64_MAX), exit_with(0);
  if (part == "odd_step") say_step(~0U, -7);
  if (part == "stopped") start(), exit_with(0x137f);
  if (part == "odd_status") start(), exit_with(-1);
  if (part == "twice") start(), exit_with(7 << 8), exit_with(0), start();
  if (part == "garbage") garbage();
  if (part == "descriptors") descriptors();
  if (part == "too_many_descriptors") too_many_descriptors();
  if (part == "own_socket") say(MessageType::started, 0, now_ns(), kControlFd, 1), exit_with(0);
  if (part == "flood") {
    start();
    while (true) say(MessageType::started, 0, 0);
  }
}

// The first argument of the command that it is to start.
std::string first_argument() {
  Message message;
  iovec part{&message, sizeof message};
  alignas(cmsghdr) char control[CMSG_SPACE(sbx::init::kExecMaxDescriptors * sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  if (recvmsg(kControlFd, &header, 0) <= 0 || CMSG_FIRSTHDR(&header) == nullptr) _exit(1);
  int payload = -1;
  std::memcpy(&payload, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof payload);
  struct stat status {};
  (void)fstat(payload, &status);
  void* mapped = mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ, MAP_PRIVATE, payload, 0);
  if (mapped == MAP_FAILED) _exit(1);
  const char* base = static_cast<const char*>(mapped);
  std::uint64_t second = 0;
  std::memcpy(&second, base + sizeof(sbx::init::ExecPayload) + sizeof second, sizeof second);
  return base + second;
}

}  // namespace

int main() {
  play(first_argument());
  return 0;
}
