// What is out of the ordinary in a monitor log, as of now.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "monitor/anomalies.h"

namespace sbx {

// Reads the files of the log that were written to at `since_ms` or later, and with them what is usual. Lines
// that are no records are left out.
Result<Anomalies> find_anomalies(const std::string& path, std::int64_t since_ms, std::int64_t now_ms);

}  // namespace sbx
