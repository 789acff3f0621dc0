// One connection of a client: requests in turn, the bytes in and out, and every way in which it ends.
//
//   handshake -> request -> serving -> request -> … -> closing -> closed
//                              \-> upgrading -> closed (the socket was given away, or is a WebSocket's)
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "http/loop.h"
#include "http/request_parser.h"
#include "http/response_head.h"
#include "http/server.h"
#include "http/transport.h"

namespace sbx::http {

class ServedExchange;

struct ServerSettings {
  ServerLimits limits;
  Handler handler;
};

// What the answer to a request depends on.
struct Asked {
  std::string request_id;
  bool http_1_1 = true;
  bool keep_alive = false;
  bool head = false;  // the method
  bool expects_continue = false;
  bool upgrade = false;  // "Connection: upgrade"
  std::string websocket_key;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // `closed` is called once, when the socket is closed or given away.
  Connection(Loop& loop, std::shared_ptr<const ServerSettings> settings, std::shared_ptr<Transport> transport,
             Peer peer, std::function<void()> closed);
  void start();

  // --- for the server ---
  void finish();  // closes it now when it is idle, else after the answer
  void end_streams();
  void cut();

  // --- for the exchange that is served ---
  [[nodiscard]] std::string_view input() const { return std::string_view(input_).substr(input_at_); }
  [[nodiscard]] bool input_ended() const { return input_ended_; }
  void take_input(std::size_t bytes);
  void want_input(
      std::size_t most);  // then ServedExchange::on_input is called; nothing if it is asked for already
  [[nodiscard]] RequestParser& parser() { return *parser_; }
  [[nodiscard]] const ServerLimits& limits() const { return settings_->limits; }
  [[nodiscard]] const Peer& peer() const { return peer_; }
  [[nodiscard]] int socket() const { return transport_->socket(); }
  [[nodiscard]] const Asked& asked() const { return asked_; }
  void set_timer(std::chrono::milliseconds delay, std::function<void()> then) {
    timer_ = loop_.after(delay, std::move(then));
  }
  void stop_timer() { timer_.stop(); }
  void post(std::function<void()> then) { loop_.post(std::move(then)); }
  void forget_keep_alive() { asked_.keep_alive = false; }  // what comes next would not be understood

  // A whole response; the connection goes on if it can.
  void answer(Response response);
  // The head of a response; `facts` says how its body is told. Then any number of sends, then end_answer().
  void send_head(int status, const std::vector<Header>& headers, HeadFacts facts);
  void send(std::string bytes, std::function<void()> on_written = {});
  void end_answer();
  [[nodiscard]] std::size_t queued_bytes() const { return queued_bytes_; }
  [[nodiscard]] bool can_go_on();  // whether another request may follow the answer

  // Ends the reading ahead, then calls `then` with nothing being read.
  void stop_reading(std::function<void()> then);
  UniqueFd give_away();
  void become_websocket(const WebSocketOptions& options,
                        std::function<void(Result<std::shared_ptr<WebSocket>>)> done);

 private:
  enum class Phase { kHandshake, kRequest, kServing, kUpgrading, kClosing, kClosed };

  void on_read(Result<std::string> got);
  void await_request();
  void read_head();
  void serve();
  void refuse(const ParseFailure& failure);
  void write_next();
  void after_answer();
  void close_gently();
  void lost();  // the client is gone or cut off
  void end();

  Loop& loop_;
  std::shared_ptr<const ServerSettings> settings_;
  std::shared_ptr<Transport> transport_;
  Peer peer_;
  std::function<void()> closed_;
  Phase phase_ = Phase::kHandshake;
  Timer timer_;  // of the phase
  bool finishing_ = false;

  std::string input_;  // read, and taken up to `input_at_`
  std::size_t input_at_ = 0;
  bool reading_ = false;
  bool input_ended_ = false;
  std::function<void()> after_reading_;

  struct Outgoing {
    std::string bytes;
    std::function<void()> on_written;
  };
  std::deque<Outgoing> outgoing_;
  std::size_t queued_bytes_ = 0;
  bool writing_ = false;

  bool first_request_ = true;
  std::unique_ptr<RequestParser> parser_;  // of the request that is read or served
  Asked asked_;
  bool answer_ended_ = false;
  bool keep_alive_ = false;
  std::weak_ptr<ServedExchange> exchange_;
  std::shared_ptr<WebSocket> websocket_;
};

}  // namespace sbx::http
