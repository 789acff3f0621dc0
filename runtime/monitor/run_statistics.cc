#include "monitor/run_statistics.h"

#include <algorithm>
#include <numeric>

namespace sbx {
namespace {

void add_known(std::vector<std::int64_t>& values, const std::optional<std::int64_t>& value) {
  if (value) values.push_back(*value);
}

}  // namespace

// The nearest-rank method: a value that was there, and no interpolation.
Spread spread_of(std::vector<std::int64_t> values) {
  Spread spread;
  if (values.empty()) return spread;
  std::ranges::sort(values);
  const auto rank = [&](std::size_t percent) { return values[(values.size() * percent + 99) / 100 - 1]; };
  spread.count = values.size();
  spread.mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  spread.p50 = rank(50);
  spread.p90 = rank(90);
  spread.p99 = rank(99);
  spread.most = values.back();
  return spread;
}

void RunCounter::add(const RunEntry& run) {
  ++counted_.runs;
  if (run.status == "completed") ++counted_.completed;
  ++counted_.outcomes[run.outcome];
  if (!run.failure.empty()) ++counted_.failures[run.failure];
  add_known(wall_ms_, run.wall_ms);
  add_known(waited_ms_, run.waited_ms);
  add_known(cpu_ms_, run.cpu_ms);
  add_known(memory_bytes_, run.memory_bytes);
}

RunStatistics RunCounter::finish() {
  counted_.wall_ms = spread_of(std::move(wall_ms_));
  counted_.waited_ms = spread_of(std::move(waited_ms_));
  counted_.cpu_ms = spread_of(std::move(cpu_ms_));
  counted_.memory_bytes = spread_of(std::move(memory_bytes_));
  return std::move(counted_);
}

}  // namespace sbx
