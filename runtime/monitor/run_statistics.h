// Runs, counted.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "monitor/run_entry.h"

namespace sbx {

// Of those whose value is known.
struct Spread {
  std::uint64_t count = 0;
  double mean = 0;
  std::int64_t p50 = 0;  // the smallest value that is not exceeded by half of them; so the others
  std::int64_t p90 = 0;
  std::int64_t p99 = 0;
  std::int64_t most = 0;
};

struct RunStatistics {
  std::uint64_t runs = 0;
  std::uint64_t completed = 0;  // exited with 0
  std::map<std::string, std::uint64_t> outcomes;
  std::map<std::string, std::uint64_t> failures;  // by class
  Spread wall_ms;
  Spread waited_ms;
  Spread cpu_ms;
  Spread memory_bytes;
};

class RunCounter {
 public:
  void add(const RunEntry& run);
  [[nodiscard]] RunStatistics finish();

 private:
  RunStatistics counted_;
  std::vector<std::int64_t> wall_ms_;
  std::vector<std::int64_t> waited_ms_;
  std::vector<std::int64_t> cpu_ms_;
  std::vector<std::int64_t> memory_bytes_;
};

Spread spread_of(std::vector<std::int64_t> values);

}  // namespace sbx
