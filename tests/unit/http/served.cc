#include "unit/http/served.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>

#include "http/message.h"
#include "unit/http/certificate.h"

namespace sbx::test {
namespace {

constexpr std::chrono::milliseconds kTurn{5};

UniqueFd listen_unix(const std::string& path) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof address.sun_path);
  std::memcpy(static_cast<char*>(address.sun_path), path.data(), path.size());
  REQUIRE(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(listen(fd.get(), 4096) == 0);
  return fd;
}

UniqueFd listen_tcp(std::uint16_t& port) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(listen(fd.get(), 4096) == 0);
  socklen_t size = sizeof address;
  REQUIRE(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port = ntohs(address.sin_port);
  return fd;
}

std::string header_of(std::string_view head, std::string_view name) {
  for (std::size_t line = head.find("\r\n"); line != std::string_view::npos;
       line = head.find("\r\n", line + 2)) {
    const std::string_view rest = head.substr(line + 2);
    const std::size_t colon = rest.find(": ");
    if (colon == std::string_view::npos || !http::equal_ignoring_case(rest.substr(0, colon), name)) continue;
    return std::string(rest.substr(colon + 2, rest.find("\r\n") - colon - 2));
  }
  return {};
}

}  // namespace

Served::Served(http::Handler handler, http::ServerLimits limits, Place place) {
  std::string name = std::filesystem::temp_directory_path() / "sbx-http-XXXXXX";
  REQUIRE(mkdtemp(name.data()) != nullptr);
  directory_ = name;
  auto made = http::Loop::create();
  REQUIRE(made);
  loop = std::move(*made);
  http::ServerOptions options;
  options.limits = limits;
  options.listeners.emplace_back();
  if (place == Place::kUnix) {
    socket_ = directory_ + "/socket";
    options.listeners[0].socket = listen_unix(socket_);
  } else {
    options.listeners[0].socket = listen_tcp(port_);
  }
  if (place == Place::kTls) options.listeners[0].tls = make_certificate();
  auto created = http::Server::create(*loop, std::move(options), std::move(handler));
  REQUIRE(created);
  server = std::move(*created);
}

Served::~Served() {
  server.reset();
  turn_some();
  loop.reset();
  std::filesystem::remove_all(directory_);
}

void Served::until(const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!holds()) {
    loop->turn(kTurn);
    REQUIRE(std::chrono::steady_clock::now() < deadline);
  }
}

void Served::turn_some() {
  for (int i = 0; i < 10; ++i) loop->turn(std::chrono::milliseconds(0));
}

UniqueFd Served::connect() {
  UniqueFd fd;
  int connected = -1;
  if (port_ == 0) {
    fd = UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(static_cast<char*>(address.sun_path), socket_.data(), socket_.size());
    connected = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  } else {
    fd = UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port_);
    connected = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  REQUIRE((connected == 0 || errno == EINPROGRESS));
  return fd;
}

std::string Answer::header(std::string_view name) const { return header_of(head, name); }

std::size_t Client::send_some(std::string_view bytes) {
  const ssize_t sent = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent > 0 ? static_cast<std::size_t>(sent) : 0;
}

void Client::send(std::string_view bytes) {
  served_.until([&] {
    bytes.remove_prefix(send_some(bytes));
    return bytes.empty();
  });
}

void Client::end_sending() { REQUIRE(shutdown(fd(), SHUT_WR) == 0); }

bool Client::receive() {
  std::array<char, 65536> room{};
  while (!ended_) {
    const ssize_t size = recv(fd(), room.data(), room.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN) break;
    if (size <= 0) {
      ended_ = true;
    } else {
      received_.append(room.data(), static_cast<std::size_t>(size));
    }
  }
  return ended_;
}

std::string Client::take(std::size_t bytes) {
  served_.until([&] { return receive() || received_.size() >= bytes; });
  std::string taken = received_.substr(0, bytes);
  received_.erase(0, bytes);
  return taken;
}

Answer Client::answer(bool to_head) {
  std::size_t end = std::string::npos;
  const auto has_line_end = [&](std::string_view what) {
    served_.until([&] { return receive() || received_.find(what) != std::string::npos; });
    end = received_.find(what);
    return end != std::string::npos;
  };
  Answer answer;
  if (!has_line_end("\r\n\r\n")) return answer;
  answer.head = take(end + 4);
  answer.status = std::stoi(answer.head.substr(9, 3));
  if (to_head || answer.status < 200 || answer.status == 204 || answer.status == 304) return answer;
  if (const std::string length = answer.header("Content-Length"); !length.empty()) {
    answer.body = take(std::stoul(length));
  } else if (answer.header("Transfer-Encoding") == "chunked") {
    while (has_line_end("\r\n")) {
      const std::size_t size = std::stoul(take(end + 2), nullptr, 16);
      answer.body += take(size);
      CHECK(take(2) == "\r\n");
      if (size == 0) return answer;
    }
    answer.body += "(cut off)";
  } else {
    served_.until([&] { return receive(); });
    answer.body = take(received_.size());
  }
  return answer;
}

Answer Client::ask(std::string_view request) {
  send(request);
  return answer();
}

bool Client::is_closed() {
  served_.until([&] { return receive() || !received_.empty(); });
  return received_.empty();
}

std::string get(std::string_view path, const std::vector<std::string>& headers) {
  std::string request = "GET " + std::string(path) + " HTTP/1.1\r\nHost: sbx\r\n";
  for (const std::string& header : headers) request += header + "\r\n";
  return request + "\r\n";
}

std::string post(std::string_view path, std::string_view body) {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: sbx\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

void answer_text(const std::shared_ptr<http::Exchange>& exchange, std::string text) {
  exchange->respond({200, {{"Content-Type", "text/plain"}}, std::move(text)});
}

std::string frame(unsigned opcode, std::string_view payload, bool last, bool masked) {
  std::string bytes(1, static_cast<char>((last ? 0x80U : 0U) | opcode));
  const unsigned mask_bit = masked ? 0x80U : 0U;
  if (payload.size() < 126) {
    bytes += static_cast<char>(mask_bit | payload.size());
  } else if (payload.size() < 65536) {
    bytes += static_cast<char>(mask_bit | 126U);
    for (int shift = 8; shift >= 0; shift -= 8) bytes += static_cast<char>(payload.size() >> shift & 0xFFU);
  } else {
    bytes += static_cast<char>(mask_bit | 127U);
    for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(payload.size() >> shift & 0xFFU);
  }
  static constexpr std::string_view kMask = "\x12\x34\x56\x78";
  if (masked) bytes += kMask;
  for (std::size_t i = 0; i < payload.size(); ++i) {
    bytes += masked ? static_cast<char>(payload[i] ^ kMask[i % 4]) : payload[i];
  }
  return bytes;
}

Frame next_frame(Client& client) {
  const std::string start = client.take(2);
  if (start.size() < 2) return {};
  Frame frame;
  frame.opcode = static_cast<unsigned char>(start[0]) & 0x0FU;
  frame.last = (static_cast<unsigned char>(start[0]) & 0x80U) != 0;
  CHECK((static_cast<unsigned char>(start[1]) & 0x80U) == 0);  // a server does not mask
  std::size_t size = static_cast<unsigned char>(start[1]);
  if (size >= 126) {
    const std::string more = client.take(size == 126 ? 2 : 8);
    size = 0;
    for (const char c : more) size = size << 8U | static_cast<unsigned char>(c);
  }
  frame.payload = client.take(size);
  return frame;
}

std::string upgrade_to_websocket(std::string_view path) {
  return get(path, {"Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Origin: http://example.org"});
}

}  // namespace sbx::test
