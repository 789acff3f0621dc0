#include "run/count_tests.h"

#include <doctest/doctest.h>

namespace sbx {
namespace {

TEST_CASE("a report is counted, or it is said why not") {
  CHECK(count_tests(ReportFormat::junit, "<testsuite><testcase/><testcase><error/></testcase></testsuite>") ==
        TestCounts{.passed = 1, .failed = 0, .errors = 1, .skipped = 0});
  const Result<TestCounts> wrong = count_tests(ReportFormat::junit, "<a/>");
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().text ==
        "no report of JUnit: neither 'testsuites' nor 'testsuite' is its first element");
}

#if !defined(__SANITIZE_ADDRESS__)  // else there is no limit of memory, and its time comes first
TEST_CASE("a report that takes more memory than a reader has costs the count alone") {
  std::string text = "<testsuite>";
  while (text.size() < 32U << 20U) text += "<a/><a/><a/><a/><a/><a/><a/><a/>";
  const Result<TestCounts> counts = count_tests(ReportFormat::junit, text + "</testsuite>");
  REQUIRE_FALSE(counts);
  CHECK(counts.error().text.starts_with("no XML: Could not allocate memory"));
}
#endif

}  // namespace
}  // namespace sbx
