#include "api/stats_stream.h"

#include "api/stream_events.h"

namespace sbx::api {
namespace {

class StatsStream : public std::enable_shared_from_this<StatsStream> {
 public:
  StatsStream(http::Loop& loop, std::shared_ptr<http::Exchange> exchange,
              std::shared_ptr<LiveSandbox> sandbox, std::chrono::milliseconds every)
      : loop_(loop), exchange_(std::move(exchange)), sandbox_(std::move(sandbox)), every_(every) {}

  void begin() {
    exchange_->start_stream(200, {{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-store"}});
    const auto self = shared_from_this();
    exchange_->on_client_gone([self] { self->end(); });
    exchange_->on_stopping([self] { self->finish(); });
    sandbox_->when_over([self] { self->finish(); });
    tell();
    look_later();
    beat();
  }

 private:
  void tell() {
    if (!may_ask(sandbox_->state(), SandboxRequest::stats)) return;
    sandbox_->stats([self = shared_from_this()](const Result<Json>& stats) {
      if (self->sandbox_ && stats)
        self->exchange_->write(
            "event: stats\ndata: " + stats->dump(-1, ' ', true, Json::error_handler_t::replace) + "\n\n");
    });
  }

  void look_later() {
    timer_ = loop_.after(every_, [self = shared_from_this()] {
      if (!self->sandbox_) return;
      // A client that does not take what it got is told less often.
      if (self->exchange_->queued_bytes() == 0) self->tell();
      self->look_later();
    });
  }

  void beat() {
    heartbeat_ = loop_.after(kHeartbeat, [self = shared_from_this()] {
      if (!self->sandbox_) return;
      if (self->exchange_->queued_bytes() == 0) self->exchange_->write(kHeartbeatComment);
      self->beat();
    });
  }

  void finish() {
    if (sandbox_) exchange_->finish();
    end();
  }
  void end() {
    sandbox_.reset();
    timer_.stop();
    heartbeat_.stop();
  }

  http::Loop& loop_;
  std::shared_ptr<http::Exchange> exchange_;
  std::shared_ptr<LiveSandbox> sandbox_;  // null: it is over
  std::chrono::milliseconds every_;
  http::Timer timer_;
  http::Timer heartbeat_;
};

}  // namespace

void stream_stats(http::Loop& loop, const std::shared_ptr<http::Exchange>& exchange,
                  const std::shared_ptr<LiveSandbox>& sandbox, std::chrono::milliseconds every) {
  std::make_shared<StatsStream>(loop, exchange, sandbox, every)->begin();
}

}  // namespace sbx::api
