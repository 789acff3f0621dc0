// Results that no keeper said.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "api/run_record.h"

namespace sbx::api {

// Of a run that never came to one.
std::string failed_result(const RunSummary& about, const std::string& message);

// Of one that was cancelled in the queue.
std::string unbegun_result(const RunSummary& about);

// Of one whose supervisor ended. `written`: of standard output and error, as far as it was kept.
std::string interrupted_result(const RunSummary& about,
                               const std::optional<std::array<std::uint64_t, 2>>& written);

}  // namespace sbx::api
