// What the tests of a run came to.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "language/runner.h"
#include "outcome/run_result.h"
#include "resource/storage_use.h"

namespace sbx {

// Of a program that ended by itself: what was killed counted nothing to its end. `path`: where its report is
// to be, below /tmp. The message of the result says what was counted, or why nothing was.
std::optional<TestCounts> read_test_report(const std::vector<StorageUse>& uses, const std::string& path,
                                           ReportFormat format, StepResult& result);

}  // namespace sbx
