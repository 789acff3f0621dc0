#include "sbxbench/schedule.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>

namespace sbx::bench {
namespace {

TEST_CASE("a round runs every program once") {
  for (std::size_t round = 0; round < 50; ++round) {
    std::vector<std::size_t> order = round_order(round, 5);
    std::ranges::sort(order);
    CHECK(order == std::vector<std::size_t>{0, 1, 2, 3, 4});
  }
}

TEST_CASE("nothing and one program have an order too") {
  CHECK(round_order(3, 0).empty());
  CHECK(round_order(3, 1) == std::vector<std::size_t>{0});
}

TEST_CASE("the order of a round is the same every time") { CHECK(round_order(17, 8) == round_order(17, 8)); }

TEST_CASE("every program follows every other about equally often") {
  constexpr std::size_t kCount = 4;
  constexpr std::size_t kRounds = 1200;
  std::array<std::array<int, kCount>, kCount> follows{};
  for (std::size_t round = 0; round < kRounds; ++round) {
    const auto order = round_order(round, kCount);
    for (std::size_t i = 1; i < kCount; ++i) ++follows.at(order[i - 1]).at(order[i]);
  }
  // Three successions a round, twelve pairs: 300 each when even.
  for (std::size_t first = 0; first < kCount; ++first) {
    for (std::size_t second = 0; second < kCount; ++second) {
      if (first == second) continue;
      CHECK(follows.at(first).at(second) > 200);
      CHECK(follows.at(first).at(second) < 400);
    }
  }
}

}  // namespace
}  // namespace sbx::bench
