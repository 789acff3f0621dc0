#include "api/rate_limit.h"

#include <algorithm>
#include <cmath>

namespace sbx::api {
namespace {

constexpr std::size_t kMostKnown = 10'000;

}  // namespace

double RateLimit::level(const Bucket& bucket, Clock::time_point now) const {
  const double passed = std::chrono::duration<double>(now - bucket.at).count();
  return std::min(burst_, bucket.left + std::max(passed, 0.0) * per_second_);
}

// A full one says nothing that is not known. Where all are in use, somebody is forgotten.
void RateLimit::make_room(Clock::time_point now) {
  if (buckets_.size() < kMostKnown) return;
  std::erase_if(buckets_, [&](const auto& entry) { return level(entry.second, now) >= burst_; });
  if (buckets_.size() >= kMostKnown) buckets_.erase(buckets_.begin());
}

std::optional<std::chrono::seconds> RateLimit::take(const std::string& who, Clock::time_point now) {
  if (per_second_ <= 0) return std::nullopt;
  auto found = buckets_.find(who);
  if (found == buckets_.end()) {
    make_room(now);
    found = buckets_.emplace(who, Bucket{burst_, now}).first;
  }
  Bucket& bucket = found->second;
  bucket.left = level(bucket, now);
  bucket.at = now;
  if (bucket.left < 1) {
    const double wait = std::ceil((1 - bucket.left) / per_second_);
    return std::chrono::seconds(static_cast<std::int64_t>(std::clamp(wait, 1.0, 3600.0)));
  }
  bucket.left -= 1;
  return std::nullopt;
}

}  // namespace sbx::api
