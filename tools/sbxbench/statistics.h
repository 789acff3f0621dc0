// What a row of a report says about its samples. Pure functions.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

namespace sbx::bench {

using Samples = std::vector<std::chrono::nanoseconds>;

// The value below which `fraction` (0 to 1) of the samples lie, linear between the two nearest ranks: 0.5 is
// the usual median. `sorted` is in ascending order and not empty.
std::chrono::nanoseconds percentile(const Samples& sorted, double fraction);

struct Summary {
  std::size_t n = 0;
  std::chrono::nanoseconds min{};
  std::chrono::nanoseconds p50{};
  std::chrono::nanoseconds p90{};
  std::chrono::nanoseconds p99{};
};

// Samples in any order; of none, all is 0.
Summary summarize(Samples samples);

// How often `base` fits into something else: below 1 is quicker than base.
struct Ratio {
  double p50 = 0;  // of the medians
  double min = 0;  // of the minima
  // The middle half of the ratios within each round: what the neighbours of a round did to both sides goes
  // out of these, so they show the spread of the comparison, not that of the machine.
  double low = 0;
  double high = 0;
};

// Sample i of both belongs to round i. Empty: no samples, another number of them or a time of 0.
std::optional<Ratio> compare(const Samples& samples, const Samples& base);

}  // namespace sbx::bench
