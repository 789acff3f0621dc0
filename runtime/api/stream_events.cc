#include "api/stream_events.h"

#include "api/run_events.h"

namespace sbx::api {
namespace {

// Beyond it a client has to take something first.
constexpr std::size_t kMostWaiting = 256U << 10U;

class SseStream : public std::enable_shared_from_this<SseStream> {
 public:
  SseStream(http::Loop& loop, std::shared_ptr<http::Exchange> exchange, const std::shared_ptr<Run>& run,
            SpillPlace from)
      : loop_(loop), exchange_(std::move(exchange)), events_(run, from) {}

  void begin(Run& run) {
    exchange_->start_stream(200, {{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-store"}});
    const auto self = shared_from_this();
    exchange_->on_client_gone([self] { self->end(); });
    exchange_->on_stopping([self] {
      self->exchange_->finish();
      self->end();
    });
    follower_ = run.follow([self] { self->pump(); });
    beat();
    pump();
  }

 private:
  void pump() {
    const auto self = shared_from_this();
    while (follower_ && exchange_->queued_bytes() < kMostWaiting) {
      const auto event = events_.next();
      if (!event) {
        if (!events_.ended()) return;
        exchange_->finish();
        return end();
      }
      exchange_->write("id: " + event->id + "\nevent: " + event->type + "\ndata: " + event->json + "\n\n",
                       [self] { self->pump(); });
    }
  }

  void beat() {
    const auto self = shared_from_this();
    heartbeat_ = loop_.after(kHeartbeat, [self] {
      if (!self->follower_) return;
      if (self->exchange_->queued_bytes() == 0) self->exchange_->write(kHeartbeatComment);
      self->beat();
    });
  }

  void end() {
    follower_.reset();
    heartbeat_.stop();
  }

  http::Loop& loop_;
  std::shared_ptr<http::Exchange> exchange_;
  RunEvents events_;
  Run::Follower follower_;
  http::Timer heartbeat_;
};

class WebSocketStream : public std::enable_shared_from_this<WebSocketStream> {
 public:
  WebSocketStream(std::shared_ptr<http::WebSocket> socket, const std::shared_ptr<Run>& run, SpillPlace from)
      : socket_(std::move(socket)), events_(run, from) {}

  void begin(Run& run) {
    const auto self = shared_from_this();
    socket_->on_message([](std::string_view, bool) {});  // there is nothing to say
    socket_->on_closed([self](std::uint16_t, std::string_view) { self->follower_.reset(); });
    follower_ = run.follow([self] { self->pump(); });
    pump();
  }

 private:
  void pump() {
    const auto self = shared_from_this();
    while (follower_ && socket_->queued_bytes() < kMostWaiting) {
      const auto event = events_.next();
      if (!event) {
        if (!events_.ended()) return;
        follower_.reset();
        return socket_->close(http::kCloseNormal, "the run has ended");
      }
      socket_->send_text(event->json, [self] { self->pump(); });
    }
  }

  std::shared_ptr<http::WebSocket> socket_;
  RunEvents events_;
  Run::Follower follower_;
};

class OutputStream : public std::enable_shared_from_this<OutputStream> {
 public:
  OutputStream(std::shared_ptr<http::Exchange> exchange, UniqueFd file, std::size_t stream)
      : exchange_(std::move(exchange)), reader_(std::move(file)), stream_(stream) {}

  void begin() {
    exchange_->start_stream(200, {{"Content-Type", "application/octet-stream"}});
    pump();
  }

 private:
  void pump() {
    const auto self = shared_from_this();
    while (!over_ && exchange_->queued_bytes() < kMostWaiting) {
      auto piece = reader_.next();
      if (!piece || !*piece) {
        over_ = true;
        return piece ? exchange_->finish() : exchange_->abort();
      }
      if ((*piece)->stream != stream_ || (*piece)->bytes.empty()) continue;
      exchange_->write(std::move((*piece)->bytes), [self] { self->pump(); });
    }
  }

  std::shared_ptr<http::Exchange> exchange_;
  SpillReader reader_;
  std::size_t stream_;
  bool over_ = false;
};

}  // namespace

void send_events_by_sse(http::Loop& loop, const std::shared_ptr<http::Exchange>& exchange,
                        const std::shared_ptr<Run>& run, SpillPlace from) {
  std::make_shared<SseStream>(loop, exchange, run, from)->begin(*run);
}

void send_events_by_websocket(const std::shared_ptr<http::Exchange>& exchange,
                              const std::shared_ptr<Run>& run, SpillPlace from) {
  exchange->accept_websocket({}, [run, from](Result<std::shared_ptr<http::WebSocket>> socket) {
    if (socket) std::make_shared<WebSocketStream>(std::move(*socket), run, from)->begin(*run);
  });
}

void stream_output(const std::shared_ptr<http::Exchange>& exchange, UniqueFd file, std::size_t stream) {
  std::make_shared<OutputStream>(exchange, std::move(file), stream)->begin();
}

}  // namespace sbx::api
