// What is counted, for Prometheus and for people. Counters begin at 0 with the process.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "api/sandbox_state.h"
#include "base/times.h"

namespace sbx::api {

// In seconds; the last one has no end.
inline constexpr std::array<double, 12> kBuckets{0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                 0.5,   1,    2.5,   10,   60,  600};

class Histogram {
 public:
  void note(std::chrono::duration<double> time);
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] double sum() const { return sum_; }
  // Those of at most kBuckets[i].
  [[nodiscard]] std::uint64_t at_most(std::size_t i) const { return at_most_.at(i); }

 private:
  std::array<std::uint64_t, kBuckets.size()> at_most_{};
  std::uint64_t count_ = 0;
  double sum_ = 0;
};

class Metrics {
 public:
  // `outcome`: of its result. `alone`: in a sandbox of its own.
  void note_run(std::string_view outcome, bool alone, std::chrono::duration<double> time);
  void note_creation(bool made, std::chrono::duration<double> time);
  void note_reuse() { ++reused_; }  // a task that had its sandbox already
  void note_sweep(std::size_t removed);
  void note_nursery_restart() { ++nursery_restarts_; }
  // What sbxd knows of the time before this process.
  void begin(std::int64_t sbxd_started_ms, std::uint64_t api_restarts, std::uint64_t nursery_restarts,
             std::uint64_t swept);

  // What is so at this moment.
  struct Now {
    std::map<SandboxState, std::size_t> sandboxes;
    std::size_t keepers = 0;
    std::size_t most_keepers = 0;
    std::size_t queued = 0;
    std::size_t running = 0;
    std::size_t kept_runs = 0;
    std::uint64_t kept_bytes = 0;
    std::size_t pool_ready = 0;
    std::uint64_t pool_hits = 0;
    std::uint64_t pool_misses = 0;
  };
  // Text exposition format 0.0.4.
  [[nodiscard]] std::string prometheus(const Now& now) const;
  [[nodiscard]] std::string json(const Now& now) const;

 private:
  std::map<std::string, std::uint64_t, std::less<>> outcomes_;
  std::uint64_t failed_creations_ = 0;
  std::uint64_t reused_ = 0;
  Histogram creations_;
  Histogram runs_;      // in sandboxes of their own
  Histogram commands_;  // in living ones
  std::uint64_t sweeps_ = 0;
  std::uint64_t swept_ = 0;
  std::uint64_t api_restarts_ = 0;
  std::uint64_t nursery_restarts_ = 0;
  std::int64_t sbxd_started_ms_ = 0;
  std::int64_t started_ms_ = utc_ms();
};

}  // namespace sbx::api
