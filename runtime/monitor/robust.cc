#include "monitor/robust.h"

#include <algorithm>
#include <cmath>

namespace sbx {

double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

Usual usual_of(const std::vector<double>& values) {
  constexpr double kAsDeviation = 1.4826;
  Usual usual;
  usual.median = median_of(values);
  std::vector<double> distances;
  distances.reserve(values.size());
  for (const double value : values) distances.push_back(std::abs(value - usual.median));
  usual.deviation = kAsDeviation * median_of(std::move(distances));
  return usual;
}

double binomial_tail(unsigned successes, unsigned trials, double probability) {
  if (successes == 0) return 1;
  if (successes > trials || probability <= 0) return 0;
  if (probability >= 1) return 1;
  double tail = 0;
  for (unsigned k = successes; k <= trials; ++k) {
    const double ways = std::lgamma(trials + 1.0) - std::lgamma(k + 1.0) - std::lgamma(trials - k + 1.0);
    tail += std::exp(ways + k * std::log(probability) + (trials - k) * std::log1p(-probability));
  }
  return std::min(tail, 1.0);
}

}  // namespace sbx
