#include "http/connection.h"

#include "base/names.h"
#include "http/parse_target.h"
#include "http/served_exchange.h"
#include "http/websocket_stream.h"

namespace sbx::http {
namespace {

constexpr std::size_t kIdleRead = 2048;            // TLS holds a buffer of it while it waits
constexpr std::size_t kMostLingering = 1U << 20U;  // bytes that are taken of a client that does not listen

}  // namespace

Connection::Connection(Loop& loop, std::shared_ptr<const ServerSettings> settings,
                       std::shared_ptr<Transport> transport, Peer peer, std::function<void()> closed)
    : loop_(loop),
      settings_(std::move(settings)),
      transport_(std::move(transport)),
      peer_(std::move(peer)),
      closed_(std::move(closed)) {}

void Connection::start() {
  const auto self = shared_from_this();
  timer_ = loop_.after(limits().header_timeout, [self] { self->lost(); });
  transport_->handshake([self](const Result<void>& done) {
    if (self->phase_ != Phase::kHandshake) return;
    if (!done || self->finishing_) return self->lost();
    self->await_request();
  });
}

void Connection::finish() {
  finishing_ = true;
  if (phase_ == Phase::kRequest && !parser_) close_gently();
}

void Connection::end_streams() {
  if (websocket_) return websocket_->close(kCloseGoingAway, "the server stops");
  if (const auto exchange = exchange_.lock()) exchange->on_server_stopping();
}

void Connection::cut() { lost(); }

// --- in ---

void Connection::take_input(std::size_t bytes) {
  input_at_ += bytes;
  if (input_at_ < input_.size()) return;
  input_ = std::string();  // and its memory
  input_at_ = 0;
}

void Connection::want_input(std::size_t most) {
  if (reading_ || input_ended_ || phase_ == Phase::kClosed) return;
  reading_ = true;
  transport_->read(most,
                   [self = shared_from_this()](Result<std::string> got) { self->on_read(std::move(got)); });
}

void Connection::on_read(Result<std::string> got) {
  reading_ = false;
  if (phase_ == Phase::kClosed) return;
  if (got && got->empty()) input_ended_ = true;
  if (got) {
    input_.erase(0, input_at_);
    input_at_ = 0;
    input_ = input_.empty() ? std::move(*got) : input_ + *got;
  }
  if (after_reading_) return std::exchange(after_reading_, nullptr)();
  if (!got) return lost();
  if (phase_ == Phase::kRequest) return read_head();
  const auto exchange = exchange_.lock();
  if (phase_ == Phase::kServing && exchange) exchange->on_input();
}

void Connection::stop_reading(std::function<void()> then) {
  phase_ = phase_ == Phase::kServing ? Phase::kUpgrading : phase_;
  after_reading_ = std::move(then);
  if (reading_) return transport_->cancel_read();
  loop_.post([self = shared_from_this()] {
    if (self->after_reading_) std::exchange(self->after_reading_, nullptr)();
  });
}

void Connection::await_request() {
  phase_ = Phase::kRequest;
  // A new connection that says nothing is no idle one.
  const auto longest = std::exchange(first_request_, false) ? limits().header_timeout : limits().idle_timeout;
  timer_ = loop_.after(longest, [self = shared_from_this()] { self->close_gently(); });
  read_head();
}

void Connection::read_head() {
  // Empty lines before a request are passed over (RFC 9112 section 2.2).
  while (!parser_ && input().starts_with("\r\n")) take_input(2);
  while (!input().empty() && (parser_ || input() != "\r")) {
    if (!parser_) {
      parser_ = std::make_unique<RequestParser>(limits().header_bytes);
      timer_ = loop_.after(limits().header_timeout, [self = shared_from_this()] {
        self->refuse({408, "the request did not arrive within the time for it"});
      });
    }
    const auto used = parser_->parse(input());
    if (!used) return refuse(used.error());
    take_input(*used);
    if (parser_->head_done()) return serve();
    if (*used == 0) break;
  }
  if (input_ended_) return close_gently();
  want_input(parser_ ? limits().header_bytes : kIdleRead);
}

void Connection::refuse(const ParseFailure& failure) {
  asked_ = Asked{};
  asked_.request_id = new_run_id();
  answer(problem(failure.status, failure.detail));
}

// --- a request ---

void Connection::serve() {
  RequestHead& head = parser_->head();
  Request request;
  request.method = std::move(head.method);
  request.target = std::move(head.target);
  request.headers = std::move(head.headers);
  request.peer = peer_;
  const std::string* id = request.header("X-Request-Id");
  request.request_id = id != nullptr && is_request_id(*id) ? *id : new_run_id();

  asked_ = Asked{};
  asked_.request_id = request.request_id;
  asked_.http_1_1 = head.http_1_1;
  asked_.keep_alive = head.keep_alive;
  asked_.head = request.method == "HEAD";
  asked_.upgrade = head.http_1_1 && request.header_has("Connection", "upgrade");
  if (const std::string* key = request.header("Sec-WebSocket-Key")) asked_.websocket_key = *key;
  timer_.stop();
  phase_ = Phase::kServing;

  Result<Target> target = parse_target(request.target);
  if (!target) {
    asked_.keep_alive = false;
    return answer(problem(400, target.error().text));
  }
  request.path = std::move(target->path);
  request.query = std::move(target->query);
  if (const std::string* expect = request.header("Expect"); expect != nullptr && head.http_1_1) {
    if (!equal_ignoring_case(*expect, "100-continue")) {
      asked_.keep_alive = false;
      return answer(problem(417, "nothing but '100-continue' can be expected"));
    }
    asked_.expects_continue = true;
  }
  const auto exchange = std::make_shared<ServedExchange>(shared_from_this(), request);
  exchange_ = exchange;
  exchange->on_input();  // from now on it is seen when the client goes
  settings_->handler(std::move(request), exchange);
}

// --- out ---

bool Connection::can_go_on() {
  // What came of the body is passed over, so that the refusal of a small one does not cost the connection.
  while (asked_.keep_alive && parser_ && !parser_->done() && !input().empty()) {
    const auto used = parser_->parse(input());
    if (!used || *used == 0) return false;
    take_input(*used);
  }
  return asked_.keep_alive && !finishing_ && parser_ && parser_->done();
}

void Connection::answer(Response response) {
  if (response.status < 200 || response.status > 599 || !all_may_be_sent(response.headers)) {
    response = problem(500, "the answer had a status or a header that cannot be sent");
  }
  HeadFacts facts;
  facts.keep_alive = can_go_on();
  if (!has_no_body(response.status)) facts.content_length = response.body.size();
  send_head(response.status, response.headers, facts);
  if (!asked_.head && !has_no_body(response.status) && !response.body.empty()) send(std::move(response.body));
  end_answer();
}

void Connection::send_head(int status, const std::vector<Header>& headers, HeadFacts facts) {
  if (phase_ == Phase::kRequest) phase_ = Phase::kServing;
  timer_.stop();
  facts.request_id = asked_.request_id;
  facts.now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  facts.http_1_1 = asked_.http_1_1;
  keep_alive_ = facts.keep_alive && facts.upgrade.empty();
  send(response_head(status, headers, facts));
}

void Connection::send(std::string bytes, std::function<void()> on_written) {
  if (phase_ == Phase::kClosed) return;
  queued_bytes_ += bytes.size();
  // What is small and has nobody waiting for it leaves in one write with what waits already.
  if (!outgoing_.empty() && !outgoing_.back().on_written &&
      outgoing_.back().bytes.size() + bytes.size() <= 65536) {
    outgoing_.back().bytes += bytes;
    outgoing_.back().on_written = std::move(on_written);
  } else {
    outgoing_.push_back({std::move(bytes), std::move(on_written)});
  }
  // After what the caller does now, which may be to send more.
  if (!std::exchange(writing_, true)) loop_.post([self = shared_from_this()] { self->write_next(); });
}

void Connection::write_next() {
  writing_ = false;
  if (phase_ == Phase::kClosed) return;
  if (outgoing_.empty()) {
    if (answer_ended_) after_answer();
    return;
  }
  writing_ = true;
  Outgoing next = std::move(outgoing_.front());
  outgoing_.pop_front();
  const std::size_t size = next.bytes.size();
  transport_->write(std::move(next.bytes),
                    [self = shared_from_this(), size,
                     on_written = std::move(next.on_written)](const Result<void>& written) {
                      if (self->phase_ == Phase::kClosed) return;
                      if (!written) return self->lost();
                      self->queued_bytes_ -= size;
                      if (on_written) on_written();
                      self->write_next();
                    });
}

void Connection::end_answer() {
  answer_ended_ = true;
  send({});  // so that after_answer() is called when all is written, and not from here
}

void Connection::after_answer() {
  answer_ended_ = false;
  if (const auto exchange = exchange_.lock()) exchange->let_go();
  exchange_.reset();
  parser_.reset();
  if (!keep_alive_ || finishing_) return close_gently();
  await_request();
}

// --- the end ---

void Connection::close_gently() {
  if (phase_ == Phase::kClosing || phase_ == Phase::kClosed) return;
  timer_.stop();
  phase_ = Phase::kClosing;
  if (input_ended_) return lost();
  stop_reading([self = shared_from_this()] {
    if (self->phase_ == Phase::kClosed) return;
    self->transport_->close_gently(kMostLingering, self->limits().linger_timeout, [self] { self->end(); });
  });
}

void Connection::lost() {
  if (phase_ == Phase::kClosed) return;
  const auto self = shared_from_this();
  transport_->close();
  if (websocket_) return;  // it notices, and says when it is closed
  phase_ = Phase::kClosed;
  if (const auto exchange = exchange_.lock()) {
    exchange->on_gone();
    exchange->let_go();
  }
  end();
}

void Connection::end() {
  phase_ = Phase::kClosed;
  timer_.stop();
  outgoing_.clear();
  queued_bytes_ = 0;
  after_reading_ = nullptr;
  websocket_.reset();
  if (const auto closed = std::exchange(closed_, nullptr)) closed();
}

UniqueFd Connection::give_away() {
  UniqueFd socket = transport_->release();
  const auto self = shared_from_this();
  if (const auto exchange = exchange_.lock()) exchange->let_go();
  end();
  return socket;
}

void Connection::become_websocket(const WebSocketOptions& options,
                                  std::function<void(Result<std::shared_ptr<WebSocket>>)> done) {
  const auto self = shared_from_this();
  WebSocketStart start;
  start.key = asked_.websocket_key;
  start.early_bytes = std::string(input());
  start.options = options;
  start.options.headers.push_back({"X-Request-Id", asked_.request_id});
  start.date = http_date(std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
  start.closed = [self] { self->end(); };
  start.opened = [self, done = std::move(done)](Result<std::shared_ptr<WebSocket>> socket) {
    if (const auto exchange = self->exchange_.lock()) exchange->let_go();
    self->parser_.reset();
    done(std::move(socket));
  };
  take_input(input().size());
  websocket_ = open_websocket(loop_, transport_, std::move(start));
}

}  // namespace sbx::http
