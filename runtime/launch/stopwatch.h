// Microseconds per step of a launch.
#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

namespace sbx {

class Stopwatch {
 public:
  // Since the last lap, or since the start.
  std::uint32_t lap_us() {
    const auto before = std::exchange(last_, std::chrono::steady_clock::now());
    return static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(last_ - before).count());
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace sbx
