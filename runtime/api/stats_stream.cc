#include "api/stats_stream.h"

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
    look();
  }

 private:
  // A client that does not take what it got is told less often.
  void look() {
    if (!sandbox_) return;
    const auto self = shared_from_this();
    if (may_ask(sandbox_->state(), SandboxRequest::stats) && exchange_->queued_bytes() == 0) {
      sandbox_->stats([self](const Result<Json>& stats) {
        if (self->sandbox_ && stats)
          self->exchange_->write(
              "event: stats\ndata: " + stats->dump(-1, ' ', true, Json::error_handler_t::replace) + "\n\n");
      });
    }
    timer_ = loop_.after(every_, [self] { self->look(); });
  }

  void finish() {
    if (sandbox_) exchange_->finish();
    end();
  }
  void end() {
    sandbox_.reset();
    timer_.stop();
  }

  http::Loop& loop_;
  std::shared_ptr<http::Exchange> exchange_;
  std::shared_ptr<LiveSandbox> sandbox_;  // null: it is over
  std::chrono::milliseconds every_;
  http::Timer timer_;
};

}  // namespace

void stream_stats(http::Loop& loop, const std::shared_ptr<http::Exchange>& exchange,
                  const std::shared_ptr<LiveSandbox>& sandbox, std::chrono::milliseconds every) {
  std::make_shared<StatsStream>(loop, exchange, sandbox, every)->begin();
}

}  // namespace sbx::api
