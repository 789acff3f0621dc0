#include "schedule.h"

#include <cstdint>
#include <numeric>
#include <random>
#include <utility>

namespace sbx::bench {

std::vector<std::size_t> round_order(std::size_t round, std::size_t count) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  // Fisher and Yates by hand: std::shuffle may differ between standard libraries. The modulus favours small
  // numbers by less than one in a hundred million here. An order that can be repeated is the point of the
  // fixed seed.
  std::mt19937 random(static_cast<std::uint32_t>(round));  // NOLINT(cert-msc32-c,cert-msc51-cpp)
  for (std::size_t left = count; left > 1; --left) std::swap(order[left - 1], order[random() % left]);
  return order;
}

}  // namespace sbx::bench
