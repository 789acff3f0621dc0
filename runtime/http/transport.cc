#include "http/transport.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <type_traits>

#include "os/stream_socket.h"

namespace sbx::http {
namespace {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;
using Socket = asio::generic::stream_protocol::socket;
using TlsStream = asio::ssl::stream<Socket>;

bool is_end(const ErrorCode& error) {
  // A client that closes without TLS's own goodbye: HTTP says itself where a message ends.
  return error == asio::error::eof || error == asio::ssl::error::stream_truncated;
}

Unexpected as_error(std::string_view what, const ErrorCode& error) {
  if (error == asio::error::operation_aborted) return fail(system_error(what, "", ECANCELED));
  if (error.category() == boost::system::system_category())
    return fail(system_error(what, "", error.value()));
  return fail(Error{std::string(what) + ": " + error.message(), EPROTO});
}

template <class Stream>
class StreamTransport final : public Transport, public std::enable_shared_from_this<StreamTransport<Stream>> {
  static constexpr bool kTls = std::is_same_v<Stream, TlsStream>;

 public:
  template <class... Arguments>
  StreamTransport(Loop& loop, std::chrono::milliseconds stall, Arguments&&... arguments)
      : stream_(std::forward<Arguments>(arguments)...), stalled_(loop.context()), stall_(stall) {}

  void handshake(Done done) override {
    const auto tell = [self = this->shared_from_this(), done = std::move(done)](const ErrorCode& error) {
      if (error) return done(as_error("TLS handshake", error));
      done({});
    };
    if constexpr (kTls) {
      stream_.async_handshake(asio::ssl::stream_base::server, tell);
    } else {
      asio::post(stream_.get_executor(), [tell] { tell(ErrorCode()); });
    }
  }

  void read(std::size_t most, ReadDone done) override {
    if constexpr (kTls) {
      auto room = std::make_shared<std::string>(most, '\0');
      const auto buffer = asio::buffer(*room);
      stream_.async_read_some(buffer, [self = this->shared_from_this(), room, done = std::move(done)](
                                          const ErrorCode& error, std::size_t size) {
        if (is_end(error)) return done(std::string());
        if (error) return done(as_error("read", error));
        room->resize(size);
        done(std::move(*room));
      });
    } else {
      stream_.async_wait(Socket::wait_read, [self = this->shared_from_this(), most,
                                             done = std::move(done)](const ErrorCode& error) {
        if (error) return done(as_error("read", error));
        self->receive(most, done);
      });
    }
  }

  void cancel_read() override {
    ErrorCode ignored;  // nothing waits then
    (void)lowest().cancel(ignored);
  }

  void write(std::string bytes, Done done) override {
    outgoing_ = std::move(bytes);
    written_ = 0;
    write_done_ = std::move(done);
    write_rest();
  }

  void close_gently(std::size_t most, std::chrono::milliseconds longest,
                    std::function<void()> closed) override {
    stalled_.expires_after(longest);
    stalled_.async_wait([self = this->shared_from_this()](const ErrorCode& error) {
      if (!error) self->close();
    });
    closed_ = std::move(closed);
    left_to_take_ = most;
    if constexpr (kTls) {
      // Whether the client says goodbye, too, does not matter.
      stream_.async_shutdown([self = this->shared_from_this()](const ErrorCode&) { self->end_writing(); });
    } else {
      asio::post(stream_.get_executor(), [self = this->shared_from_this()] { self->end_writing(); });
    }
  }

  void close() override {
    (void)stalled_.cancel();
    ErrorCode ignored;  // the descriptor is gone also then (close(2))
    (void)lowest().close(ignored);
  }

  [[nodiscard]] int socket() const override {
    const auto& socket = lowest();
    return socket.is_open() ? const_cast<Socket&>(socket).native_handle() : -1;
  }

  UniqueFd release() override {
    ErrorCode error;
    const int fd = lowest().release(error);
    return error ? UniqueFd() : UniqueFd(fd);
  }

 private:
  Socket& lowest() {
    if constexpr (kTls) {
      return stream_.next_layer();
    } else {
      return stream_;
    }
  }
  [[nodiscard]] const Socket& lowest() const { return const_cast<StreamTransport*>(this)->lowest(); }

  void receive(std::size_t most, const ReadDone& done) {
    std::string room(most, '\0');
    ErrorCode error;
    const std::size_t size = lowest().read_some(asio::buffer(room), error);
    // Ready, and then not: waited for again (select(2), BUGS).
    if (error == asio::error::would_block) return read(most, done);
    if (is_end(error)) return done(std::string());
    if (error) return done(as_error("read", error));
    room.resize(size);
    // Little that arrived holds little memory.
    if (size < most / 2) room.shrink_to_fit();
    done(std::move(room));
  }

  void write_rest() {
    if (written_ == outgoing_.size()) {
      asio::post(stream_.get_executor(), [self = this->shared_from_this()] { self->end_write({}); });
      return;
    }
    stalled_.expires_after(stall_);
    stalled_.async_wait([self = this->shared_from_this()](const ErrorCode& error) {
      if (error) return;
      self->timed_out_ = true;
      self->close();
    });
    stream_.async_write_some(asio::buffer(outgoing_.data() + written_, outgoing_.size() - written_),
                             [self = this->shared_from_this()](const ErrorCode& error, std::size_t size) {
                               (void)self->stalled_.cancel();
                               if (self->timed_out_)
                                 return self->end_write(fail(system_error("write", "", ETIMEDOUT)));
                               if (error) return self->end_write(as_error("write", error));
                               self->written_ += size;
                               if (self->written_ == self->outgoing_.size()) return self->end_write({});
                               self->write_rest();
                             });
  }

  void end_write(Result<void> result) {
    outgoing_ = std::string();
    const Done done = std::exchange(write_done_, nullptr);
    if (done) done(std::move(result));
  }

  void end_writing() {
    ErrorCode ignored;  // the client may have gone
    (void)lowest().shutdown(Socket::shutdown_send, ignored);
    take_rest();
  }

  void take_rest() {
    lowest().async_wait(Socket::wait_read, [self = this->shared_from_this()](const ErrorCode& wait_error) {
      std::array<char, 16384> unread;  // NOLINT(cppcoreguidelines-pro-type-member-init): never looked at
      ErrorCode error = wait_error;
      const std::size_t size = error ? 0 : self->lowest().read_some(asio::buffer(unread), error);
      if (error == asio::error::would_block) return self->take_rest();
      if (!error && size < self->left_to_take_) {
        self->left_to_take_ -= size;
        return self->take_rest();
      }
      self->close();
      const std::function<void()> closed = std::exchange(self->closed_, nullptr);
      if (closed) closed();
    });
  }

  Stream stream_;
  asio::steady_timer stalled_;
  std::chrono::milliseconds stall_;
  bool timed_out_ = false;
  std::string outgoing_;
  std::size_t written_ = 0;
  Done write_done_;
  std::function<void()> closed_;
  std::size_t left_to_take_ = 0;
};

// A generic socket is of TCP or Unix, so that both are one type here.
Result<Socket> adopt(Loop& loop, UniqueFd fd) {
  const int family = TRY(os::socket_family(fd.get()));
  if (family != AF_UNIX) TRY(os::set_no_delay(fd.get()));
  Socket socket(loop.context());
  ErrorCode error;
  (void)socket.assign(asio::generic::stream_protocol(family, 0), fd.get(), error);
  if (error) return as_error("epoll_ctl", error);
  (void)fd.release();
  (void)socket.non_blocking(true, error);
  if (error) return as_error("ioctl", error);
  return socket;
}

}  // namespace

Result<std::shared_ptr<Transport>> make_transport(Loop& loop, UniqueFd socket,
                                                  std::chrono::milliseconds stall) {
  Socket adopted = TRY(adopt(loop, std::move(socket)));
  return std::make_shared<StreamTransport<Socket>>(loop, stall, std::move(adopted));
}

Result<std::shared_ptr<Transport>> make_tls_transport(Loop& loop, UniqueFd socket,
                                                      std::chrono::milliseconds stall,
                                                      const TlsContext& context) {
  Socket adopted = TRY(adopt(loop, std::move(socket)));
  ssl_st* session = context.new_session();
  if (session == nullptr) return fail("TLS: no memory for another connection");
  return std::make_shared<StreamTransport<TlsStream>>(loop, stall, std::move(adopted), session);
}

}  // namespace sbx::http
