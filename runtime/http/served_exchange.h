// An Exchange of a real connection.
#pragma once

#include <memory>

#include "http/body_reader.h"
#include "http/connection.h"
#include "http/exchange.h"

namespace sbx::http {

class ServedExchange final : public Exchange, public std::enable_shared_from_this<ServedExchange> {
 public:
  ServedExchange(std::shared_ptr<Connection> connection, const Request& request);
  ~ServedExchange() override;

  void read_body(std::size_t limit, std::function<void(Result<std::string>)> done) override;
  void read_body_in_parts(std::uint64_t limit, BodyReader::OnPart on_part, BodyReader::OnEnd on_end) override;
  void respond(Response response) override;
  void start_stream(int status, std::vector<Header> headers, std::optional<std::uint64_t> length) override;
  void write(std::string bytes, std::function<void()> on_written) override;
  void finish() override;
  void abort() override;
  [[nodiscard]] std::size_t queued_bytes() const override;
  void accept_websocket(WebSocketOptions options,
                        std::function<void(Result<std::shared_ptr<WebSocket>>)> done) override;
  void take_over(std::string_view token, std::vector<Header> headers,
                 std::function<void(Result<UniqueFd>)> done) override;
  void on_client_gone(std::function<void()> then) override;
  void on_stopping(std::function<void()> then) override;
  [[nodiscard]] bool over() const override;
  [[nodiscard]] int peer_socket() const override;

  // --- for the connection ---
  void on_input();            // bytes, or their end
  void on_gone();             // the connection broke
  void on_server_stopping();  // see on_stopping
  void let_go();              // the exchange is over: callbacks and connection

 private:
  enum class Answer { kNone, kStream, kUpgrade, kGiven };
  void tell_gone();
  void answer(Response response);
  // Whether the request asks for that upgrade, and the answer can have these headers; if not it is answered.
  Result<void> check_upgrade(std::string_view token, const std::vector<Header>& headers);

  std::shared_ptr<Connection> connection_;  // empty: it is over
  std::string upgrade_tokens_;
  std::string websocket_version_;
  bool method_is_get_ = false;
  Answer answer_ = Answer::kNone;
  bool chunked_ = false;
  std::optional<std::uint64_t> left_;  // of a stream whose length was told
  bool gone_ = false;
  std::shared_ptr<BodyReader> body_;
  std::function<void()> on_client_gone_;
  std::function<void()> on_stopping_;
  std::function<void(Error)> on_upgrade_failed_;
};

}  // namespace sbx::http
