#include "run/test_report.h"

#include "outcome/test_report.h"
#include "run/count_tests.h"

namespace sbx {
namespace {

std::string in_words(const TestCounts& counts) {
  return std::to_string(counts.passed) + " passed, " + std::to_string(counts.failed) + " failed, " +
         std::to_string(counts.errors) + " errors, " + std::to_string(counts.skipped) + " skipped";
}

}  // namespace

std::optional<TestCounts> read_test_report(const std::vector<StorageUse>& uses, const std::string& path,
                                           ReportFormat format, StepResult& result) {
  constexpr std::size_t kMostReportBytes = 4U << 20U;
  if (result.outcome != Outcome::exited) return std::nullopt;
  const Result<std::string> text = read_from_tmp(uses, path, kMostReportBytes);
  const Result<TestCounts> counts =
      text ? count_tests(format, *text) : Result<TestCounts>(fail(text.error()));
  result.message +=
      counts ? "; tests: " + in_words(*counts) : "; its tests could not be counted: " + counts.error().text;
  return counts ? std::optional(*counts) : std::nullopt;
}

}  // namespace sbx
