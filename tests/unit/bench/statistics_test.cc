#include "sbxbench/statistics.h"

#include <doctest/doctest.h>

namespace sbx::bench {
namespace {

using namespace std::chrono_literals;

Samples one_to(int last) {
  Samples samples;
  for (int i = last; i > 0; --i) samples.emplace_back(i);
  return samples;
}

TEST_CASE("no samples give a summary of nothing") {
  const Summary summary = summarize({});
  CHECK(summary.n == 0);
  CHECK(summary.min == 0ns);
  CHECK(summary.p99 == 0ns);
}

TEST_CASE("one sample is every percentile") {
  const Summary summary = summarize({7ns});
  CHECK(summary.n == 1);
  CHECK(summary.min == 7ns);
  CHECK(summary.p50 == 7ns);
  CHECK(summary.p90 == 7ns);
  CHECK(summary.p99 == 7ns);
}

TEST_CASE("samples may come in any order") {
  const Summary summary = summarize({30ns, 10ns, 20ns});
  CHECK(summary.min == 10ns);
  CHECK(summary.p50 == 20ns);
}

TEST_CASE("the median of an even number is the middle of the two in the middle") {
  CHECK(summarize({10ns, 20ns, 40ns, 1000ns}).p50 == 30ns);
}

TEST_CASE("percentiles lie linearly between the nearest ranks") {
  const Summary summary = summarize(one_to(101));
  CHECK(summary.n == 101);
  CHECK(summary.p50 == 51ns);
  CHECK(summary.p90 == 91ns);
  CHECK(summary.p99 == 100ns);
  CHECK(percentile({0ns, 1000ns}, 0.25) == 250ns);
}

TEST_CASE("the ends of a percentile are the smallest and the largest sample") {
  const Samples sorted{1ns, 5ns, 9ns};
  CHECK(percentile(sorted, 0) == 1ns);
  CHECK(percentile(sorted, 1) == 9ns);
  CHECK(percentile(sorted, -1) == 1ns);
  CHECK(percentile(sorted, 2) == 9ns);
}

TEST_CASE("times of hours do not overflow") { CHECK(summarize({10h, 20h}).p50 == 15h); }

TEST_CASE("a ratio compares medians and minima") {
  const auto ratio = compare({20ns, 40ns, 60ns}, {10ns, 10ns, 40ns});
  REQUIRE(ratio.has_value());
  CHECK(ratio->p50 == doctest::Approx(4));
  CHECK(ratio->min == doctest::Approx(2));
}

TEST_CASE("the spread of a ratio is that of the rounds, so a slow round of both is no spread") {
  const auto ratio = compare({20ns, 2000ns, 30ns, 4ns}, {10ns, 1000ns, 15ns, 2ns});
  REQUIRE(ratio.has_value());
  CHECK(ratio->low == doctest::Approx(2));
  CHECK(ratio->high == doctest::Approx(2));
}

TEST_CASE("the spread of a ratio is its middle half") {
  const auto ratio = compare({1ns, 2ns, 3ns, 4ns, 500ns}, {1ns, 1ns, 1ns, 1ns, 1ns});
  REQUIRE(ratio.has_value());
  CHECK(ratio->low == doctest::Approx(2));
  CHECK(ratio->high == doctest::Approx(4));
}

TEST_CASE("there is no ratio without samples, of unequal numbers or to a time of 0") {
  CHECK_FALSE(compare({}, {}).has_value());
  CHECK_FALSE(compare({1ns}, {1ns, 2ns}).has_value());
  CHECK_FALSE(compare({1ns, 1ns}, {1ns, 0ns}).has_value());
}

}  // namespace
}  // namespace sbx::bench
