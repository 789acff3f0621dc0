#include "statistics.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace sbx::bench {
namespace {

using std::chrono::nanoseconds;

// Between the two nearest ranks (type 7 of Hyndman and Fan, "Sample quantiles in statistical packages",
// 1996).
double interpolate(const std::vector<double>& sorted, double fraction) {
  const double rank = std::clamp(fraction, 0.0, 1.0) * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(rank);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  const double part = rank - static_cast<double>(below);
  return sorted[below] + (sorted[above] - sorted[below]) * part;
}

double divide(nanoseconds value, nanoseconds base) {
  return static_cast<double>(value.count()) / static_cast<double>(base.count());
}

}  // namespace

nanoseconds percentile(const Samples& sorted, double fraction) {
  std::vector<double> values;
  values.reserve(sorted.size());
  for (const nanoseconds sample : sorted) values.push_back(static_cast<double>(sample.count()));
  return nanoseconds(std::llround(interpolate(values, fraction)));
}

Summary summarize(Samples samples) {
  if (samples.empty()) return {};
  std::ranges::sort(samples);
  return {.n = samples.size(),
          .min = samples.front(),
          .p50 = percentile(samples, 0.5),
          .p90 = percentile(samples, 0.9),
          .p99 = percentile(samples, 0.99)};
}

std::optional<Ratio> compare(const Samples& samples, const Samples& base) {
  if (samples.empty() || samples.size() != base.size()) return std::nullopt;
  std::vector<double> rounds;
  rounds.reserve(samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (base[i].count() <= 0) return std::nullopt;
    rounds.push_back(divide(samples[i], base[i]));
  }
  std::ranges::sort(rounds);
  const Summary ours = summarize(samples);
  const Summary theirs = summarize(base);
  return Ratio{.p50 = divide(ours.p50, theirs.p50),
               .min = divide(ours.min, theirs.min),
               .low = interpolate(rounds, 0.25),
               .high = interpolate(rounds, 0.75)};
}

}  // namespace sbx::bench
