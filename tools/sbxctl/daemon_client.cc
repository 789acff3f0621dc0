#include "daemon_client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "os/file.h"

namespace sbx {
namespace {

constexpr timeval kPatience{60, 0};
constexpr std::size_t kMostAnswer = 16U << 20U;

Result<std::optional<UniqueFd>> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail("'" + path + "' is too long for the path of a socket");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return fail(system_error("socket", "", errno));
  (void)setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  if (errno == ENOENT || errno == ECONNREFUSED) return std::optional<UniqueFd>();
  return fail(system_error("connect", path, errno));
}

}  // namespace

Result<std::optional<nlohmann::json>> ask_daemon(const std::string& socket_path, const std::string& method,
                                                 const std::string& path) {
  const std::optional<UniqueFd> connection = TRY(connect_to(socket_path));
  if (!connection) return std::optional<nlohmann::json>();
  TRY(os::write_all(
      connection->get(),
      method + " " + path + " HTTP/1.1\r\nHost: sbx\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
      "sbxd's socket"));
  const std::string answer = TRY(os::read_all(connection->get(), "sbxd's answer", kMostAnswer));
  const std::size_t end = answer.find("\r\n\r\n");
  const std::size_t space = answer.find(' ');
  if (!answer.starts_with("HTTP/1.1 ") || end == std::string::npos) return fail("sbxd's answer is no HTTP");
  nlohmann::json json = nlohmann::json::parse(answer.substr(end + 4), nullptr, false);
  if (!json.is_object()) return fail("sbxd's answer is no JSON");
  if (answer.substr(space + 1, 3) != "200") return fail("sbxd: " + json.value("detail", "it refused"));
  return json;
}

}  // namespace sbx
