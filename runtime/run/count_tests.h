// The report of a test runner, read where a fault of the reader costs nothing.
#pragma once

#include <string>

#include "base/result.h"
#include "language/runner.h"
#include "outcome/test_report.h"

namespace sbx {

Result<TestCounts> count_tests(ReportFormat format, const std::string& report);

}  // namespace sbx
