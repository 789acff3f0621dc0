// How often each of many may do something: a bucket for each, which fills by and by (a token bucket).
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>

namespace sbx::api {

class RateLimit {
 public:
  using Clock = std::chrono::steady_clock;
  // `per_second` 0: as often as they want. `burst`: at once.
  RateLimit(double per_second, double burst) : per_second_(per_second), burst_(burst) {}

  // Takes one of `who`'s; else nothing is taken, and it is said when there is one again.
  std::optional<std::chrono::seconds> take(const std::string& who, Clock::time_point now);

  [[nodiscard]] std::size_t known() const { return buckets_.size(); }

 private:
  struct Bucket {
    double left = 0;
    Clock::time_point at;
  };
  [[nodiscard]] double level(const Bucket& bucket, Clock::time_point now) const;
  void make_room(Clock::time_point now);

  double per_second_;
  double burst_;
  std::map<std::string, Bucket> buckets_;
};

}  // namespace sbx::api
