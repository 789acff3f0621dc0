// The events of a run by WebSocket (RFC 6455), one after the other as they come.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <optional>

#include "integration/daemon.h"

namespace sbx::test {

class EventSocket {
 public:
  // `path`: "/v1/runs/ID/events".
  EventSocket(const Daemon& daemon, const std::string& path)
      : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string place = daemon.socket();
    REQUIRE(place.size() < sizeof address.sun_path);
    (void)place.copy(address.sun_path, place.size());
    REQUIRE(connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    const std::string request = "GET " + path +
                                " HTTP/1.1\r\nHost: sbx\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                                "AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    REQUIRE(write(fd_, request.data(), request.size()) == static_cast<ssize_t>(request.size()));
    std::string head;
    while (!head.ends_with("\r\n\r\n")) head += take(1);
    REQUIRE_MESSAGE(head.starts_with("HTTP/1.1 101 "), head);
  }
  EventSocket(const EventSocket&) = delete;
  EventSocket& operator=(const EventSocket&) = delete;
  ~EventSocket() { (void)close(fd_); }

  // Nothing: the server has closed it; `status` says why.
  std::optional<json> next() {
    for (;;) {
      const std::string head = take(2);
      const int kind = head[0] & 0x0F;
      std::uint64_t size = head[1] & 0x7F;
      if (size >= 126) {
        const std::string more = take(size == 126 ? 2 : 8);
        size = 0;
        for (const char byte : more) size = size << 8U | static_cast<unsigned char>(byte);
      }
      const std::string text = take(size);
      if (kind == 1) return json::parse(text);
      if (kind != 8) continue;  // a ping
      status_ = static_cast<unsigned char>(text.at(0)) << 8U | static_cast<unsigned char>(text.at(1));
      return {};
    }
  }
  [[nodiscard]] int status() const { return status_; }

 private:
  std::string take(std::uint64_t size) const {
    std::string bytes(size, '\0');
    for (std::size_t have = 0; have < size;) {
      pollfd ready{fd_, POLLIN, 0};
      REQUIRE(poll(&ready, 1, 60'000) == 1);
      const ssize_t got = read(fd_, bytes.data() + have, size - have);
      REQUIRE(got > 0);
      have += static_cast<std::size_t>(got);
    }
    return bytes;
  }

  int fd_;
  int status_ = 0;
};

}  // namespace sbx::test
