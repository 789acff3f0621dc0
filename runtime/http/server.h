// The HTTP/1.1 and WebSocket server. Each connection has one request at a time: further ones that a client
// sends ahead are answered in order. Idle, a connection holds about 3 KiB, a WebSocket 9 KiB, and either with
// TLS 90 KiB more.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "http/exchange.h"
#include "http/loop.h"
#include "http/message.h"
#include "http/tls.h"

namespace sbx::http {

class Connection;
struct ServerSettings;

struct Listener {
  UniqueFd socket;                 // SOCK_STREAM, bound and listening: Unix or TCP
  std::optional<TlsIdentity> tls;  // TCP only
};

struct ServerLimits {
  std::size_t header_bytes = 16U << 10U;  // request line and headers; 414 and 431
  // From the first byte of a head to its last (408), of a new connection to the first, and TLS's handshake.
  std::chrono::milliseconds header_timeout{10'000};
  std::chrono::milliseconds idle_timeout{60'000};  // between two requests
  // No byte of a body that is read (408), or of an answer taken.
  std::chrono::milliseconds stall_timeout{30'000};
  // For a client that still sends when it has its last answer.
  std::chrono::milliseconds linger_timeout{2'000};
  // What comes above it is accepted, told 503 and closed at once: not to accept would keep an honest client
  // waiting without a word, and whose connections are too many is known only after. TLS gets no 503, as it
  // would cost a handshake.
  std::size_t connections = 1024;
  std::size_t connections_of_one = 256;  // of one uid, or one address
};

struct ServerOptions {
  std::vector<Listener> listeners;
  ServerLimits limits;
};

using Handler = std::function<void(Request, std::shared_ptr<Exchange>)>;

class Server {
 public:
  // Accepts from the next turn of the loop on.
  static Result<std::unique_ptr<Server>> create(Loop& loop, ServerOptions options, Handler handler);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();  // cuts what there is

  // Of that listener, which has TLS: for new connections.
  Result<void> set_tls(std::size_t listener, const TlsIdentity& identity);

  // To stop: these in order, with as much time between as there is, until connections() is 0.
  void stop_accepting();  // closes the listening sockets
  void close_idle();      // and each other connection after its answer
  void end_streams();     // calls on_stopping; a WebSocket gets 1001
  void cut_all();

  [[nodiscard]] std::size_t connections() const;

 private:
  struct Place {
    UniqueFd socket;
    std::shared_ptr<TlsContext> tls;
    bool local = false;
    Watch watch;
  };
  Server(Loop& loop, ServerLimits limits, Handler handler);
  Result<void> listen(Place& place);
  void accept(Place& place);
  void pause_accepting();
  void admit(const Place& place, UniqueFd socket);
  void forget(std::uint64_t number, const std::string& who);
  [[nodiscard]] std::vector<std::shared_ptr<Connection>> all() const;

  Loop& loop_;
  std::shared_ptr<const ServerSettings> settings_;
  // False when a connection ends after the server.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::vector<std::unique_ptr<Place>> places_;
  std::map<std::uint64_t, std::shared_ptr<Connection>> connections_;
  std::uint64_t next_number_ = 0;
  std::map<std::string, std::size_t> of_one_;  // how many connections a uid or an address has
  Timer accept_again_;
};

}  // namespace sbx::http
