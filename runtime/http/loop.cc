#include "http/loop.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace sbx::http {

namespace asio = boost::asio;

struct Loop::Parts {
  asio::io_context context{1};  // one thread
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
};

struct Watch::State : std::enable_shared_from_this<Watch::State> {
  State(asio::io_context& context, bool writable, std::function<void()> then)
      : descriptor(context),
        awaited(writable ? asio::posix::descriptor_base::wait_write
                         : asio::posix::descriptor_base::wait_read),
        ready(std::move(then)) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { forget(); }

  // Asio asks epoll again for each wait, so what is ready still is told again.
  void wait() {
    descriptor.async_wait(awaited, [self = shared_from_this()](const boost::system::error_code& error) {
      if (error || self->stopped) return;
      self->ready();
      if (!self->stopped) self->wait();
    });
  }

  void forget() {
    stopped = true;
    if (descriptor.is_open()) (void)descriptor.release();  // not ours to close
  }

  asio::posix::stream_descriptor descriptor;
  asio::posix::descriptor_base::wait_type awaited;
  std::function<void()> ready;
  bool stopped = false;
};

struct Timer::State {
  explicit State(asio::io_context& context) : timer(context) {}
  asio::steady_timer timer;
  bool stopped = false;
};

void Watch::stop() {
  if (state_) state_->forget();
  state_.reset();
}

Watch& Watch::operator=(Watch&& other) noexcept {
  if (this != &other) {
    stop();
    state_ = std::move(other.state_);
  }
  return *this;
}

void Timer::stop() {
  if (state_) {
    state_->stopped = true;
    boost::system::error_code ignored;  // it has been called already
    (void)state_->timer.cancel(ignored);
  }
  state_.reset();
}

Timer& Timer::operator=(Timer&& other) noexcept {
  if (this != &other) {
    stop();
    state_ = std::move(other.state_);
  }
  return *this;
}

Result<std::unique_ptr<Loop>> Loop::create() {
  try {
    auto parts = std::make_unique<Parts>();
    // Asio makes these when they are first used.
    (void)asio::steady_timer(parts->context);
    (void)asio::posix::stream_descriptor(parts->context);
    return std::unique_ptr<Loop>(new Loop(std::move(parts)));
  } catch (const boost::system::system_error& error) {
    return fail(system_error("epoll_create1", "", error.code().value()).while_doing("making the event loop"));
  }
}

Loop::Loop(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Loop::~Loop() = default;

void Loop::run() {
  parts_->context.restart();
  parts_->context.run();
}

void Loop::stop() { parts_->context.stop(); }

void Loop::turn(std::chrono::milliseconds longest) {
  asio::io_context& context = parts_->context;
  context.restart();
  if (context.poll_one() == 0 && context.run_one_for(longest) == 0) return;
  // What is ready is done, but a watched descriptor that nobody reads would be ready for ever.
  constexpr int kMostAtOnce = 64;
  for (int i = 0; i < kMostAtOnce && context.poll_one() > 0; ++i) {
  }
}

Result<Watch> Loop::watch(int fd, std::function<void()> readable) {
  return watch_for(fd, false, std::move(readable));
}

Result<Watch> Loop::watch_writable(int fd, std::function<void()> writable) {
  return watch_for(fd, true, std::move(writable));
}

Result<Watch> Loop::watch_for(int fd, bool writable, std::function<void()> then) {
  auto state = std::make_shared<Watch::State>(parts_->context, writable, std::move(then));
  boost::system::error_code error;
  (void)state->descriptor.assign(fd, error);
  if (error) return fail(system_error("epoll_ctl", "", error.value()));
  state->wait();
  return Watch(std::move(state));
}

Timer Loop::after(std::chrono::milliseconds delay, std::function<void()> then) {
  auto state = std::make_shared<Timer::State>(parts_->context);
  state->timer.expires_after(delay);
  state->timer.async_wait([state, then = std::move(then)](const boost::system::error_code& error) {
    if (!error && !state->stopped) then();
  });
  return Timer(std::move(state));
}

void Loop::post(std::function<void()> then) { asio::post(parts_->context, std::move(then)); }

asio::io_context& Loop::context() { return parts_->context; }

}  // namespace sbx::http
