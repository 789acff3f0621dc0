// The clock of deadlines and durations: CLOCK_MONOTONIC, which nobody sets (clock_gettime(2)).
#pragma once

#include <time.h>

#include <cstdint>

namespace sbx::os {

inline std::int64_t monotonic_ns() {
  timespec now{};
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

}  // namespace sbx::os
