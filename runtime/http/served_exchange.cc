#include "http/served_exchange.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace sbx::http {
namespace {

constexpr std::size_t kReadAhead = 2048;

std::string as_chunk(const std::string& bytes) {
  std::array<char, 16> size{};
  const auto end = std::to_chars(size.data(), size.data() + size.size(), bytes.size(), 16).ptr;
  std::string chunk;
  chunk.reserve(bytes.size() + 20);
  chunk.append(size.data(), end).append("\r\n").append(bytes).append("\r\n");
  return chunk;
}

// 16 bytes in base64 (RFC 6455 section 4.1).
bool is_websocket_key(std::string_view key) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  return key.size() == 24 && key.ends_with("==") &&
         key.substr(0, 22).find_first_not_of(kAlphabet) == std::string_view::npos;
}

bool list_of_upgrades_has(const std::string& list, std::string_view token) {
  Request request;
  request.headers.push_back({"Upgrade", list});
  return request.header_has("Upgrade", token);
}

}  // namespace

ServedExchange::ServedExchange(std::shared_ptr<Connection> connection, const Request& request)
    : connection_(std::move(connection)), method_is_get_(request.method == "GET") {
  if (const std::string* upgrade = request.header("Upgrade")) upgrade_tokens_ = *upgrade;
  if (const std::string* version = request.header("Sec-WebSocket-Version")) websocket_version_ = *version;
}

ServedExchange::~ServedExchange() {
  if (body_) body_->stop({});
  if (!connection_ || answer_ == Answer::kGiven || answer_ == Answer::kUpgrade) return;
  // Nobody is left who could.
  if (answer_ == Answer::kStream) {
    connection_->cut();
  } else {
    connection_->answer(problem(500, "the request was not answered"));
  }
}

// --- in ---

void ServedExchange::read_body(std::size_t limit, std::function<void(Result<std::string>)> done) {
  auto body = std::make_shared<std::string>();
  read_body_in_parts(
      limit,
      [body](std::string_view part, const std::function<void()>& resume) {
        body->append(part);
        resume();
      },
      [body, done = std::move(done)](Result<void> end) {
        if (!end) return done(fail(std::move(end.error())));
        done(std::move(*body));
      });
}

void ServedExchange::read_body_in_parts(std::uint64_t limit, BodyReader::OnPart on_part,
                                        BodyReader::OnEnd on_end) {
  if (!connection_ || body_ || answer_ != Answer::kNone) return;
  auto then_ahead = [weak = weak_from_this(), on_end = std::move(on_end)](Result<void> end) {
    if (const auto self = weak.lock(); self && end) self->on_input();
    on_end(std::move(end));
  };
  body_ = std::make_shared<BodyReader>(connection_, limit, std::move(on_part), std::move(then_ahead),
                                       [this](int status, const std::string& detail) {
                                         connection_->forget_keep_alive();
                                         answer(problem(status, detail));
                                       });
  body_->start();
}

void ServedExchange::on_input() {
  if (!connection_) return;
  const auto self = shared_from_this();
  if (body_ && !connection_->parser().done()) return body_->on_input();
  if (connection_->input_ended()) return tell_gone();
  // Read ahead, so that its end is seen; further requests wait there.
  const bool wanted =
      connection_->parser().done() && connection_->input().size() < connection_->limits().header_bytes;
  if (wanted) connection_->want_input(kReadAhead);
}

void ServedExchange::tell_gone() {
  gone_ = true;
  if (const auto then = std::exchange(on_client_gone_, nullptr)) then();
}

void ServedExchange::on_gone() {
  const auto self = shared_from_this();
  if (body_) body_->stop(fail(Error{"the client is gone", ECONNRESET}));
  if (const auto failed = std::exchange(on_upgrade_failed_, nullptr))
    failed(Error{"the client is gone", ECONNRESET});
  tell_gone();
}

void ServedExchange::on_server_stopping() {
  const auto self = shared_from_this();
  if (const auto then = std::exchange(on_stopping_, nullptr)) then();
}

void ServedExchange::on_client_gone(std::function<void()> then) {
  if (!connection_) return;
  on_client_gone_ = std::move(then);
  if (!gone_) return;
  connection_->post([self = shared_from_this()] { self->tell_gone(); });
}

void ServedExchange::on_stopping(std::function<void()> then) {
  if (connection_) on_stopping_ = std::move(then);
}

void ServedExchange::let_go() {
  const auto self = weak_from_this().lock();
  if (body_) body_->stop({});
  body_.reset();
  on_client_gone_ = nullptr;
  on_stopping_ = nullptr;
  on_upgrade_failed_ = nullptr;
  connection_.reset();
}

bool ServedExchange::over() const { return !connection_; }

int ServedExchange::peer_socket() const { return connection_ ? connection_->socket() : -1; }

// --- out ---

void ServedExchange::respond(Response response) {
  if (connection_ && answer_ == Answer::kNone) answer(std::move(response));
}

void ServedExchange::answer(Response response) {
  answer_ = Answer::kGiven;
  if (body_) body_->stop({});
  connection_->answer(std::move(response));
}

void ServedExchange::start_stream(int status, std::vector<Header> headers,
                                  std::optional<std::uint64_t> length) {
  if (!connection_ || answer_ != Answer::kNone) return;
  if (status < 200 || status > 599 || has_no_body(status) || !all_may_be_sent(headers)) {
    return answer(problem(500, "the answer had a status or a header that cannot be sent"));
  }
  answer_ = Answer::kStream;
  left_ = length;
  chunked_ = !length && connection_->asked().http_1_1;
  HeadFacts facts;
  facts.content_length = length;
  facts.chunked = chunked_;
  facts.keep_alive = (length || chunked_) && connection_->can_go_on();
  connection_->send_head(status, headers, facts);
}

void ServedExchange::write(std::string bytes, std::function<void()> on_written) {
  if (!connection_ || answer_ != Answer::kStream) return;
  if (left_) {
    bytes.resize(std::min<std::uint64_t>(bytes.size(), *left_));
    *left_ -= bytes.size();
  }
  // An empty chunk would be the last one.
  if (connection_->asked().head || bytes.empty()) {
    bytes.clear();
  } else if (chunked_) {
    bytes = as_chunk(bytes);
  }
  connection_->send(std::move(bytes), std::move(on_written));
}

void ServedExchange::finish() {
  if (!connection_ || answer_ != Answer::kStream) return;
  if (left_.value_or(0) > 0 && !connection_->asked().head) return abort();
  answer_ = Answer::kGiven;
  if (body_) body_->stop({});
  if (chunked_ && !connection_->asked().head) connection_->send("0\r\n\r\n");
  connection_->end_answer();
}

void ServedExchange::abort() {
  if (connection_ && (answer_ == Answer::kNone || answer_ == Answer::kStream)) connection_->cut();
}

std::size_t ServedExchange::queued_bytes() const { return connection_ ? connection_->queued_bytes() : 0; }

// --- upgrades ---

Result<void> ServedExchange::check_upgrade(std::string_view token, const std::vector<Header>& headers) {
  if (!all_may_be_sent(headers)) {
    answer(problem(500, "the answer had a header that cannot be sent"));
    return fail("a header of the answer cannot be sent");
  }
  if (connection_->asked().upgrade && list_of_upgrades_has(upgrade_tokens_, token) &&
      connection_->parser().done()) {
    return {};
  }
  Response refusal =
      problem(426, "this needs 'Connection: upgrade' and 'Upgrade: " + std::string(token) + "'");
  refusal.headers.push_back({"Upgrade", std::string(token)});
  answer(std::move(refusal));
  return fail("the request asks for no upgrade to '" + std::string(token) + "'");
}

void ServedExchange::accept_websocket(WebSocketOptions options,
                                      std::function<void(Result<std::shared_ptr<WebSocket>>)> done) {
  if (!connection_ || answer_ != Answer::kNone) return;
  const auto self = shared_from_this();
  std::vector<Header> headers = options.headers;
  headers.push_back({"Sec-WebSocket-Protocol", options.protocol});
  if (const Result<void> asked = check_upgrade("websocket", headers); !asked)
    return done(fail(asked.error()));
  if (websocket_version_ != "13") {
    Response refusal = problem(426, "the only version of WebSocket that is understood is 13");
    refusal.headers.push_back({"Sec-WebSocket-Version", "13"});
    answer(std::move(refusal));
    return done(fail("the request asks for another version of WebSocket"));
  }
  if (!method_is_get_ || !is_websocket_key(connection_->asked().websocket_key)) {
    answer(problem(400, "a WebSocket needs GET and a Sec-WebSocket-Key of 16 bytes in base64"));
    return done(fail("the request has no key of a WebSocket"));
  }
  answer_ = Answer::kUpgrade;
  on_upgrade_failed_ = [done](Error error) { done(fail(std::move(error))); };
  connection_->stop_reading([self, options = std::move(options), done = std::move(done)]() mutable {
    if (!self->connection_) return;
    self->on_upgrade_failed_ = nullptr;
    self->connection_->become_websocket(options, std::move(done));
  });
}

void ServedExchange::take_over(std::string_view token, std::vector<Header> headers,
                               std::function<void(Result<UniqueFd>)> done) {
  if (!connection_ || answer_ != Answer::kNone) return;
  const auto self = shared_from_this();
  if (const Result<void> asked = check_upgrade(token, headers); !asked) return done(fail(asked.error()));
  if (!connection_->peer().local) {
    answer(problem(400, "this is possible on the Unix socket only"));
    return done(fail("the connection is not of a Unix socket"));
  }
  answer_ = Answer::kUpgrade;
  on_upgrade_failed_ = [done](Error error) { done(fail(std::move(error))); };
  connection_->stop_reading(
      [self, token = std::string(token), headers = std::move(headers), done = std::move(done)] {
        const auto connection = self->connection_;
        if (!connection) return;
        if (!connection->input().empty() || connection->input_ended()) {
          self->on_upgrade_failed_ = nullptr;
          connection->forget_keep_alive();
          self->answer(problem(400, "bytes were sent before the answer to the upgrade"));
          return done(fail("the client sent bytes before the answer to its upgrade"));
        }
        HeadFacts facts;
        facts.upgrade = token;
        connection->send_head(101, headers, facts);
        connection->send({}, [self, connection, done] {
          self->on_upgrade_failed_ = nullptr;
          done(connection->give_away());
        });
      });
}

}  // namespace sbx::http
