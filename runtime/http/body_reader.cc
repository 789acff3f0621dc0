#include "http/body_reader.h"

namespace sbx::http {
namespace {

constexpr std::size_t kBodyRead = 64U << 10U;

}  // namespace

BodyReader::BodyReader(std::shared_ptr<Connection> connection, std::uint64_t limit, OnPart on_part,
                       OnEnd on_end, std::function<void(int, std::string)> refuse)
    : connection_(std::move(connection)),
      left_(limit),
      limit_(limit),
      on_part_(std::move(on_part)),
      on_end_(std::move(on_end)),
      refuse_(std::move(refuse)) {}

void BodyReader::start() {
  const auto length = connection_->parser().head().content_length;
  if (length && *length > limit_) {
    // Not from inside read_body(): whoever called it is not ready for the end yet.
    connection_->post([self = shared_from_this()] {
      self->fail_with(413, "the body is longer than " + std::to_string(self->limit_) + " bytes");
    });
    return;
  }
  if (connection_->asked().expects_continue && connection_->input().empty() &&
      !connection_->parser().done()) {
    connection_->send("HTTP/1.1 100 Continue\r\n\r\n");
  }
  connection_->post([self = shared_from_this()] { self->read_on(); });
}

void BodyReader::on_input() {
  if (connection_ && !paused_) connection_->stop_timer();
  read_on();
}

void BodyReader::read_on() {
  const auto self = shared_from_this();
  if (std::exchange(reading_, true)) return;
  while (connection_ && !paused_ && read_piece()) {
  }
  reading_ = false;
}

bool BodyReader::read_piece() {
  const auto connection = connection_;
  RequestParser& parser = connection->parser();
  if (parser.done()) {
    stop({});
    const OnEnd on_end = std::exchange(on_end_, nullptr);
    if (on_end) on_end({});
    return false;
  }
  if (connection->input().empty()) {
    wait_for_input();
    return false;
  }
  const auto used = parser.parse(connection->input());
  if (!used) {
    fail_with(used.error().status, used.error().detail);
    return false;
  }
  if (*used == 0) {
    wait_for_input();
    return false;
  }
  // A copy: the input must be taken before others are called, who may end the exchange.
  const std::string part(parser.body());
  connection->take_input(*used);
  if (part.size() > left_) {
    fail_with(413, "the body is longer than " + std::to_string(limit_) + " bytes");
    return false;
  }
  left_ -= part.size();
  if (!part.empty()) {
    paused_ = true;
    const OnPart on_part = on_part_;  // it may be let go meanwhile
    on_part(part, [weak = weak_from_this()] {
      const auto reader = weak.lock();
      if (!reader || !reader->paused_) return;
      reader->paused_ = false;
      reader->read_on();
    });
  }
  return true;
}

void BodyReader::wait_for_input() {
  if (connection_->input_ended()) return connection_->cut();
  connection_->set_timer(connection_->limits().stall_timeout, [self = shared_from_this()] {
    self->fail_with(408, "the body did not arrive within the time for it");
  });
  connection_->want_input(kBodyRead);
}

void BodyReader::fail_with(int status, std::string detail) {
  if (!connection_) return;
  const auto self = shared_from_this();
  const OnEnd on_end = std::exchange(on_end_, nullptr);
  const auto refuse = refuse_;
  stop({});
  if (refuse) refuse(status, detail);
  if (on_end) on_end(fail(std::move(detail)));
}

void BodyReader::stop(Result<void> why) {
  if (connection_) connection_->stop_timer();
  connection_.reset();
  on_part_ = nullptr;
  refuse_ = nullptr;
  if (why) return;
  if (const OnEnd on_end = std::exchange(on_end_, nullptr)) on_end(std::move(why));
}

}  // namespace sbx::http
