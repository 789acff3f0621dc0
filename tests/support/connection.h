// A connection of this process to itself, as sbxd's listener accepts one: a keeper believes what the kernel
// says of it.
#pragma once

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/unique_fd.h"
#include "os/socket.h"

namespace sbx::test {

class Connection {
 public:
  Connection() {
    std::array<char, 32> directory{"/tmp/sbx-connection.XXXXXX"};
    REQUIRE(mkdtemp(directory.data()) != nullptr);
    const std::string path = std::string(directory.data()) + "/s";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const auto* to = reinterpret_cast<const sockaddr*>(&address);
    listener_ = UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    client_ = UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(bind(listener_.get(), to, sizeof address) == 0);
    REQUIRE(listen(listener_.get(), 1) == 0);
    REQUIRE(connect(client_.get(), to, sizeof address) == 0);
    server_ = UniqueFd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    REQUIRE(server_.valid());
    (void)unlink(path.c_str());
    (void)rmdir(directory.data());
  }
  [[nodiscard]] int listener() const { return listener_.get(); }
  [[nodiscard]] int clients() const { return client_.get(); }
  [[nodiscard]] int servers() const { return server_.get(); }
  // What a keeper sends over it.
  [[nodiscard]] UniqueFd take_client() const {
    auto message = os::receive_message(client_.get(), 1);
    REQUIRE((message && *message && (*message)->descriptors.size() == 1));
    return std::move((*message)->descriptors.front());
  }

 private:
  UniqueFd listener_;
  UniqueFd client_;
  UniqueFd server_;
};

}  // namespace sbx::test
