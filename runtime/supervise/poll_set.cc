#include "supervise/poll_set.h"

#include <time.h>

#include <algorithm>

#include "os/clock.h"

namespace sbx {

void PollSet::add(int fd, std::function<void()> ready, short events) {
  if (fd < 0) return;
  polled_.push_back({fd, events, 0});
  ready_.push_back(std::move(ready));
}

void PollSet::until(std::int64_t deadline_ns) { deadline_ns_ = std::min(deadline_ns_, deadline_ns); }

void PollSet::wait() {
  const std::int64_t left = std::max<std::int64_t>(0, deadline_ns_ - os::monotonic_ns());
  const timespec timeout{left / 1'000'000'000, left % 1'000'000'000};
  if (ppoll(polled_.data(), polled_.size(), deadline_ns_ == kNever ? nullptr : &timeout, nullptr) <= 0)
    return;
  for (std::size_t i = 0; i < polled_.size(); ++i) {
    if (polled_[i].revents != 0) ready_[i]();
  }
}

}  // namespace sbx
