// What a test runner counted, from the report that it wrote. The report is the work of programs that nobody
// has read: its counts are theirs, and the verdict of the run does not depend on it.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace sbx {

struct TestCounts {
  std::uint64_t passed = 0;
  std::uint64_t failed = 0;   // an expectation did not hold
  std::uint64_t errors = 0;   // the test could not be carried out
  std::uint64_t skipped = 0;  // also those that are expected to fail
  bool operator==(const TestCounts&) const = default;
};

// JUnit XML, which has no standard; as in https://github.com/testmoapp/junitxml: a `testcase` counts once, by
// what it holds. Errors: no XML, no `testsuites` or `testsuite`.
Result<TestCounts> parse_junit(std::string_view text);

}  // namespace sbx
