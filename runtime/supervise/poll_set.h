// One turn of an event loop: what is waited for, each with what to do then, and until when.
#pragma once

#include <poll.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace sbx {

inline constexpr std::int64_t kNever = INT64_MAX;  // a deadline on CLOCK_MONOTONIC, in ns

class PollSet {
 public:
  // A negative `fd` is not waited for. What `ready` destroys must not be waited for in the same turn.
  void add(int fd, std::function<void()> ready, short events = POLLIN);
  void until(std::int64_t deadline_ns);
  // Waits, and does what is to be done in the order in which it was added.
  void wait();

 private:
  std::vector<pollfd> polled_;
  std::vector<std::function<void()>> ready_;
  std::int64_t deadline_ns_ = kNever;
};

}  // namespace sbx
