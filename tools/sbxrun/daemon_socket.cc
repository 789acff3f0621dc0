#include "daemon_socket.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/printable.h"
#include "os/file.h"
#include "os/socket.h"

namespace sbx::sbxrun {
namespace {

constexpr std::size_t kMostHead = 16U << 10U;
constexpr std::string_view kEndOfHead = "\r\n\r\n";

Result<UniqueFd> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail("--socket: '" + path + "' is too long for a socket path");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd socket_fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket_fd.valid()) return fail(system_error("socket", "", errno));
  if (connect(socket_fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    Error error = system_error("connect", path, errno);
    error.text += "; is sbxd running? With --direct a run as root needs none";
    return fail(std::move(error));
  }
  return socket_fd;
}

// No byte behind the head is read: the next one carries the descriptor.
Result<std::string> read_head(int fd) {
  std::string head;
  std::array<char, 1> byte{};
  while (!head.ends_with(kEndOfHead)) {
    const ssize_t count = recv(fd, byte.data(), byte.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(system_error("read", "sbxd's answer", errno));
    if (count == 0) return fail("sbxd closed the connection");
    head += byte[0];
    if (head.size() > kMostHead) return fail("sbxd's answer is no HTTP");
  }
  return head;
}

// Of a refusal, which is a line of text.
std::string read_refusal(int fd) {
  const auto text = os::read_all(fd, "sbxd's answer", 1U << 16U);
  if (!text) return "sbxd refused, and it could not be read why";
  return printable(text->substr(0, text->find('\n')));
}

}  // namespace

Result<UniqueFd> connect_daemon(const std::string& socket_path, const std::string& sandbox) {
  const UniqueFd connection = TRY(connect_to(socket_path));
  const std::string path = sandbox.empty() ? "/v1/connect" : "/v1/sandboxes/" + sandbox + "/connect";
  TRY(os::write_all(connection.get(),
                    "GET " + path +
                        " HTTP/1.1\r\nHost: sbx\r\nConnection: Upgrade\r\nUpgrade: sbx-client\r\n"
                        "Accept: text/plain\r\n\r\n",
                    "sbxd's socket"));
  const std::string head = TRY(read_head(connection.get()));
  if (!head.starts_with("HTTP/1.1 101 ")) {
    (void)shutdown(connection.get(), SHUT_WR);
    return fail(read_refusal(connection.get()));
  }
  auto message = TRY(os::receive_message(connection.get(), 1));
  if (!message || message->descriptors.size() != 1)
    return fail("sbxd could not start a process for the run; its log says why");
  return std::move(message->descriptors.front());
}

}  // namespace sbx::sbxrun
