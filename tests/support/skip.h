// A test that needs something the host lacks says so and ends: SKIP_UNLESS(is_root(), "needs root").
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>

#define SKIP_UNLESS(condition, reason)                                                             \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      std::printf("skipped: %s: %s\n", doctest::getContextOptions()->currentTest->m_name, reason); \
      return;                                                                                      \
    }                                                                                              \
  } while (false)

namespace sbx::test {

inline bool is_root() { return geteuid() == 0; }

}  // namespace sbx::test
