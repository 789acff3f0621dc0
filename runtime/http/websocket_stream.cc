#include "http/websocket_stream.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <deque>

namespace sbx::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using ErrorCode = beast::error_code;

constexpr std::size_t kMostLingering = 1U << 20U;
constexpr std::chrono::milliseconds kLongestLingering{2'000};

ErrorCode as_code(const Error& error) {
  if (error.error_number == ECANCELED) return asio::error::operation_aborted;
  return {error.error_number, boost::system::system_category()};
}

// A transport as Beast wants its streams (AsyncReadStream, AsyncWriteStream).
class Layer {
 public:
  using executor_type = asio::io_context::executor_type;

  Layer(asio::io_context& context, std::shared_ptr<Transport> transport, std::string early_bytes)
      : executor_(context.get_executor()), transport_(std::move(transport)), early_(std::move(early_bytes)) {}

  [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }
  [[nodiscard]] Transport& transport() const { return *transport_; }

  template <class Buffers, class Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    const auto then = shared(std::forward<Handler>(handler));
    if (!early_.empty()) {
      const std::size_t size = asio::buffer_copy(buffers, asio::buffer(early_));
      early_.erase(0, size);
      return asio::post(executor_, [then, size] { std::move (*then)(ErrorCode(), size); });
    }
    transport_->read(asio::buffer_size(buffers), [then, buffers](const Result<std::string>& got) {
      if (!got) return std::move(*then)(as_code(got.error()), 0);
      if (got->empty()) return std::move(*then)(asio::error::eof, 0);
      std::move (*then)(ErrorCode(), asio::buffer_copy(buffers, asio::buffer(*got)));
    });
  }

  template <class Buffers, class Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    const auto then = shared(std::forward<Handler>(handler));
    std::string bytes(asio::buffer_size(buffers), '\0');
    const std::size_t size = asio::buffer_copy(asio::buffer(bytes), buffers);
    transport_->write(std::move(bytes), [then, size](const Result<void>& written) {
      if (!written) return std::move(*then)(as_code(written.error()), 0);
      std::move (*then)(ErrorCode(), size);
    });
  }

 private:
  // Beast's handlers can be moved only, a std::function wants to copy.
  template <class Handler>
  static auto shared(Handler&& handler) {
    return std::make_shared<std::decay_t<Handler>>(std::forward<Handler>(handler));
  }

  executor_type executor_;
  std::shared_ptr<Transport> transport_;
  std::string early_;
};

// Found by Beast through their argument.
void beast_close_socket(Layer& layer) { layer.transport().close(); }

template <class Handler>
void async_teardown(beast::role_type, Layer& layer, Handler&& handler) {
  const auto then = std::make_shared<std::decay_t<Handler>>(std::forward<Handler>(handler));
  layer.transport().close_gently(kMostLingering, kLongestLingering,
                                 [then] { std::move (*then)(ErrorCode()); });
}

class BeastWebSocket final : public WebSocket, public std::enable_shared_from_this<BeastWebSocket> {
 public:
  BeastWebSocket(Loop& loop, std::shared_ptr<Transport> transport, WebSocketStart start)
      : stream_(loop.context(), std::move(transport), std::move(start.early_bytes)),
        start_(std::move(start)) {}

  void open() {
    set_pings(true);
    stream_.read_message_max(start_.options.most_message_bytes);
    stream_.auto_fragment(false);
    stream_.set_option(websocket::stream_base::decorator(
        [this](websocket::response_type& response) { decorate(response); }));
    beast::http::request<beast::http::empty_body> request(beast::http::verb::get, "/", 11);
    request.set(beast::http::field::host, "sbx");
    request.set(beast::http::field::connection, "upgrade");
    request.set(beast::http::field::upgrade, "websocket");
    request.set(beast::http::field::sec_websocket_key, start_.key);
    request.set(beast::http::field::sec_websocket_version, "13");
    stream_.async_accept(request,
                         [self = shared_from_this()](const ErrorCode& error) { self->on_open(error); });
  }

  void on_message(std::function<void(std::string_view, bool)> then) override {
    on_message_ = std::move(then);
  }
  void on_closed(std::function<void(std::uint16_t, std::string_view)> then) override {
    on_closed_ = std::move(then);
  }

  void send_text(std::string text, std::function<void()> on_sent) override {
    send({std::move(text), std::move(on_sent), true});
  }
  void send_binary(std::string bytes, std::function<void()> on_sent) override {
    send({std::move(bytes), std::move(on_sent), false});
  }
  [[nodiscard]] std::size_t queued_bytes() const override { return queued_bytes_; }

  void pause() override { paused_ = true; }

  void resume() override {
    if (!std::exchange(paused_, false) || !held_) return;
    held_ = false;
    set_pings(true);
    // The message that was held, from the loop as all others are.
    asio::post(stream_.get_executor(), [self = shared_from_this()] { self->give_message(); });
  }

  void close(std::uint16_t code, std::string_view reason) override {
    if (closing_) return;
    closing_ = true;
    reason_.code = code;
    const std::string_view fits = reason.substr(0, 123);
    reason_.reason.assign(fits.data(), fits.size());
    if (open_) write_next();
  }
  [[nodiscard]] bool closing() const override { return closing_; }

 private:
  struct Outgoing {
    std::string bytes;
    std::function<void()> on_sent;
    bool text;
  };

  void decorate(websocket::response_type& response) {
    response.set(beast::http::field::server, "sbx");
    response.set(beast::http::field::date, start_.date);
    if (!start_.options.protocol.empty()) {
      response.set(beast::http::field::sec_websocket_protocol, start_.options.protocol);
    }
    for (const Header& header : start_.options.headers) response.insert(header.name, header.value);
  }

  void set_pings(bool on) {
    websocket::stream_base::timeout timeout{};
    timeout.handshake_timeout = start_.options.close_timeout;
    // Beast pings after half of it.
    timeout.idle_timeout = on ? 2 * start_.options.ping_interval : websocket::stream_base::none();
    timeout.keep_alive_pings = on;
    stream_.set_option(timeout);
  }

  void on_open(const ErrorCode& error) {
    const auto opened = std::exchange(start_.opened, nullptr);
    if (error) {
      opened(fail(system_error("write", "", error.value()).while_doing("opening a WebSocket")));
      return end(kCloseAbnormal, "");
    }
    open_ = true;
    opened(std::shared_ptr<WebSocket>(shared_from_this()));
    read_next();
    write_next();
  }

  void read_next() {
    if (ended_) return;
    incoming_ = beast::flat_buffer(std::max<std::size_t>(start_.options.most_message_bytes, 1));
    stream_.async_read(incoming_, [self = shared_from_this()](const ErrorCode& error, std::size_t) {
      if (error) return self->end_with(error);
      if (!self->paused_) return self->give_message();
      self->held_ = true;
      // Without reading a client's pongs are not seen.
      self->set_pings(false);
    });
  }

  void give_message() {
    if (ended_) return;
    const auto bytes = incoming_.cdata();
    const auto then = on_message_;  // it may be set anew meanwhile
    if (then) then({static_cast<const char*>(bytes.data()), bytes.size()}, stream_.got_text());
    read_next();
  }

  void send(Outgoing message) {
    if (closing_ || ended_) return;
    queued_bytes_ += message.bytes.size();
    outgoing_.push_back(std::move(message));
    if (open_ && !writing_) write_next();
  }

  void write_next() {
    if (ended_ || writing_) return;
    if (outgoing_.empty()) {
      if (closing_) send_close();
      return;
    }
    writing_ = true;
    stream_.text(outgoing_.front().text);
    stream_.async_write(asio::buffer(outgoing_.front().bytes),
                        [self = shared_from_this()](const ErrorCode& error, std::size_t) {
                          self->writing_ = false;
                          if (self->ended_) return;
                          if (error) return self->end_with(error);
                          const Outgoing sent = std::move(self->outgoing_.front());
                          self->outgoing_.pop_front();
                          self->queued_bytes_ -= sent.bytes.size();
                          if (sent.on_sent) sent.on_sent();
                          self->write_next();
                        });
  }

  void send_close() {
    if (close_sent_) return;
    close_sent_ = true;
    stream_.async_close(reason_, [self = shared_from_this()](const ErrorCode& error) {
      self->end_with(error ? error : ErrorCode(websocket::error::closed));
    });
  }

  void end_with(const ErrorCode& error) {
    // After a close of ours both the read and the close say that it is over: the close, which knows how,
    // counts.
    if (close_sent_ && error == asio::error::operation_aborted) return;
    const websocket::close_reason& theirs = stream_.reason();
    if (error == websocket::error::closed) {
      const bool told = theirs.code != websocket::close_code::none;
      return end(told ? theirs.code : std::uint16_t{kCloseNoCode},
                 {theirs.reason.data(), theirs.reason.size()});
    }
    if (error == websocket::error::message_too_big || error == websocket::error::buffer_overflow) {
      return end(kCloseTooBig, "the message was too long");
    }
    if (error == websocket::error::bad_frame_payload) return end(kCloseBadText, "the text was not UTF-8");
    if (error == websocket::condition::protocol_violation) return end(kCloseProtocolError, error.message());
    end(kCloseAbnormal, "");
  }

  void end(std::uint16_t code, std::string_view reason) {
    if (std::exchange(ended_, true)) return;
    const auto self = shared_from_this();
    closing_ = true;
    stream_.next_layer().transport().close();
    outgoing_to_nobody();
    on_message_ = nullptr;
    if (const auto then = std::exchange(on_closed_, nullptr)) then(code, reason);
    if (const auto then = std::exchange(start_.closed, nullptr)) then();
  }

  // A write that is under way uses the bytes of the first until it calls back.
  void outgoing_to_nobody() {
    outgoing_.resize(std::min<std::size_t>(outgoing_.size(), writing_ ? 1 : 0), Outgoing{{}, {}, false});
    for (Outgoing& message : outgoing_) message.on_sent = nullptr;
    queued_bytes_ = 0;
  }

  websocket::stream<Layer, false> stream_;
  WebSocketStart start_;
  bool open_ = false;
  bool ended_ = false;
  bool closing_ = false;  // nothing more is sent
  bool close_sent_ = false;
  websocket::close_reason reason_;

  beast::flat_buffer incoming_;
  bool paused_ = false;
  bool held_ = false;  // `incoming_` is a message that waits for resume()
  std::function<void(std::string_view, bool)> on_message_;
  std::function<void(std::uint16_t, std::string_view)> on_closed_;

  std::deque<Outgoing> outgoing_;
  std::size_t queued_bytes_ = 0;
  bool writing_ = false;
};

}  // namespace

std::shared_ptr<WebSocket> open_websocket(Loop& loop, std::shared_ptr<Transport> transport,
                                          WebSocketStart start) {
  auto socket = std::make_shared<BeastWebSocket>(loop, std::move(transport), std::move(start));
  socket->open();
  return socket;
}

}  // namespace sbx::http
