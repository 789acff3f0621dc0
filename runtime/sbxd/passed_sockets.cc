#include "sbxd/passed_sockets.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>

namespace sbx {
namespace {

constexpr int kFirst = 3;  // SD_LISTEN_FDS_START
constexpr int kMost = 64;

// -1: it is not there, or no number.
int number_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return -1;
  const std::string_view all(text);
  int value = -1;
  const auto [end, error] = std::from_chars(all.data(), all.data() + all.size(), value);
  return error == std::errc{} && end == all.data() + all.size() ? value : -1;
}

int option_of(int fd, int option) {
  int value = -1;
  socklen_t size = sizeof value;
  return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

}  // namespace

Result<std::vector<UniqueFd>> take_passed_sockets() {
  const bool ours = number_in("LISTEN_PID") == getpid();
  const int count = number_in("LISTEN_FDS");
  for (const char* variable : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) (void)unsetenv(variable);
  std::vector<UniqueFd> sockets;
  if (!ours || count <= 0) return sockets;
  if (count > kMost) return fail("LISTEN_FDS: " + std::to_string(count) + " sockets are too many");
  for (int fd = kFirst; fd < kFirst + count; ++fd) {
    const std::string name = "LISTEN_FDS: descriptor " + std::to_string(fd);
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return fail(system_error("fcntl", name, errno));
    sockets.emplace_back(fd);
    if (option_of(fd, SO_DOMAIN) != AF_UNIX || option_of(fd, SO_TYPE) != SOCK_STREAM ||
        option_of(fd, SO_ACCEPTCONN) != 1)
      return fail(name + " is no listening Unix stream socket (ListenStream=/run/sbx/sbxd.sock makes one)");
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) return fail(system_error("fcntl", name, errno));
  }
  return sockets;
}

}  // namespace sbx
