// Requests, as the server reads them: the head and body are the same however the bytes arrive, and a
// connection of a real server that is given them answers or closes, with nothing left.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>

#include "fuzz/fuzz.h"
#include "fuzz/places.h"
#include "http/parse_target.h"
#include "http/request_parser.h"
#include "http/server.h"

namespace sbx::fuzz {
namespace {

constexpr std::size_t kHeaderLimit = 4096;

struct Parsed {
  bool failed = false;
  bool done = false;
  std::string method;
  std::string target;
  std::size_t headers = 0;
  std::string body;
};

Parsed parse(std::string_view text, std::size_t step) {
  http::RequestParser parser(kHeaderLimit);
  Parsed parsed;
  std::size_t begin = 0;
  std::size_t end = 0;
  while (!parser.done()) {
    bool stuck = begin == end;
    if (!stuck) {
      const auto used = parser.parse(text.substr(begin, end - begin));
      if (!used) {
        must(used.error().status >= 400 && used.error().status < 500, "it is the client's fault");
        must(!used.error().detail.empty(), "a failure says what is wrong");
        parsed.failed = true;
        return parsed;
      }
      must(*used <= end - begin, "no more is read than there is");
      parsed.body += parser.body();
      begin += *used;
      stuck = *used == 0;
    }
    if (stuck && end == text.size()) break;
    if (stuck) end = std::min(text.size(), end + step);
  }
  parsed.done = parser.done();
  if (!parser.head_done()) return parsed;
  const http::RequestHead& head = parser.head();
  parsed.method = head.method;
  parsed.target = head.target;
  parsed.headers = head.headers.size();
  must(!(head.chunked && head.content_length), "a body has one length");
  for (const http::Header& header : head.headers) {
    must(!header.name.empty(), "a header has a name");
    for (const char c : header.name + header.value) {
      const auto byte = static_cast<unsigned char>(c);
      must((byte >= 0x20 || c == '\t') && byte != 0x7f, "a header holds no control character", header.value);
    }
  }
  if (const auto target = http::parse_target(head.target)) {
    must(target->path.starts_with('/'), "a path begins with '/'");
    must((target->path + '/').find("/../") == std::string::npos, "a path does not lead upwards",
         target->path);
    must(target->path.find('\0') == std::string::npos, "a path holds no NUL");
  }
  return parsed;
}

void try_parser(std::string_view text) {
  const Parsed whole = parse(text, text.size() + 1);
  const Parsed bytes = parse(text, 1);
  // What is wrong further on may be seen before the head is whole, or after the body began.
  if (whole.failed || bytes.failed) return;
  must(whole.done == bytes.done && whole.method == bytes.method && whole.target == bytes.target &&
           whole.headers == bytes.headers && whole.body == bytes.body,
       "a request is the same however it arrives");
}

// One for all inputs, which come one after the other.
struct Served {
  Served() : loop(std::move(*http::Loop::create())) {
    socket_path = place.file("socket");
    http::ServerOptions options;
    options.limits.header_bytes = kHeaderLimit;
    options.listeners.emplace_back();
    UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    must(bind(listener.get(), address(), sizeof name) == 0, "a socket can be bound");
    must(listen(listener.get(), 16) == 0, "a socket can listen");
    options.listeners[0].socket = std::move(listener);
    auto made = http::Server::create(
        *loop, std::move(options),
        [](const http::Request& request, const auto& exchange) { answer(request, exchange); });
    must(made.has_value(), "a server can be made");
    server = std::move(*made);
  }

  static void answer(const http::Request& request, const std::shared_ptr<http::Exchange>& exchange) {
    if (request.path == "/ws") {
      return exchange->accept_websocket({}, [](Result<std::shared_ptr<http::WebSocket>> made) {
        if (!made) return;
        const std::weak_ptr<http::WebSocket> weak = *made;
        (*made)->on_message([weak](std::string_view message, bool) {
          if (const auto socket = weak.lock()) socket->send_binary(std::string(message), {});
        });
      });
    }
    if (request.path == "/take") return exchange->take_over("x", {}, [](const Result<UniqueFd>&) {});
    if (request.path == "/unread") return exchange->respond({200, {}, "unread"});
    exchange->read_body(1000, [exchange](const Result<std::string>& body) {
      if (!body) return;
      exchange->start_stream(200, {});
      exchange->write(*body, {});
      exchange->finish();
    });
  }

  const sockaddr* address() {
    name.sun_family = AF_UNIX;
    must(socket_path.size() < sizeof name.sun_path, "the path of a socket is short");
    std::memcpy(static_cast<char*>(name.sun_path), socket_path.data(), socket_path.size());
    return reinterpret_cast<const sockaddr*>(&name);
  }

  void turn() {
    for (int i = 0; i < 3; ++i) loop->turn(std::chrono::milliseconds(0));
  }

  Place place;
  std::string socket_path;
  sockaddr_un name{};
  std::unique_ptr<http::Loop> loop;
  std::unique_ptr<http::Server> server;
};

void try_server(std::string_view text) {
  static Served served;
  {
    const UniqueFd client(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    must(connect(client.get(), served.address(), sizeof served.name) == 0, "a client can connect");
    // In two pieces, where the input says.
    const std::size_t half = text.empty() ? 0 : static_cast<unsigned char>(text.front()) * text.size() / 256;
    (void)send(client.get(), text.data(), half, MSG_NOSIGNAL);
    served.turn();
    (void)send(client.get(), text.data() + half, text.size() - half, MSG_NOSIGNAL);
    (void)shutdown(client.get(), SHUT_WR);
    std::array<char, 65536> answer{};
    for (int i = 0; i < 20; ++i) {
      served.turn();
      const ssize_t size = recv(client.get(), answer.data(), answer.size(), MSG_DONTWAIT);
      if (size == 0) break;
      if (size > 0 && i == 0)
        must(text_of(reinterpret_cast<std::uint8_t*>(answer.data()), 9) == "HTTP/1.1 ", "an answer is one");
    }
  }
  for (int i = 0; i < 100 && served.server->connections() > 0; ++i) served.turn();
  must(served.server->connections() == 0, "no connection is left");
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sbx::fuzz::try_parser(sbx::fuzz::text_of(data, size));
  sbx::fuzz::try_server(sbx::fuzz::text_of(data, size));
  return 0;
}
