#include "monitor/syslog.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <ctime>

#include "base/unique_fd.h"

namespace sbx {

void send_to_syslog(const std::string& socket, std::string_view line) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.size() >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, socket.data(), socket.size());
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return;
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  std::array<char, 32> when{};
  (void)localtime_r(&now, &parts);
  (void)std::strftime(when.data(), when.size(), "%b %e %H:%M:%S", &parts);
  const std::string text = "<" + std::to_string(LOG_DAEMON | LOG_INFO) + ">" + when.data() + " sbx[" +
                           std::to_string(getpid()) + "]: " + std::string(line);
  (void)sendto(fd.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
               reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

}  // namespace sbx
