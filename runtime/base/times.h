// Times of the calendar: milliseconds since 1970, UTC, and as RFC 3339.
#pragma once

#include <cstdint>
#include <string>

namespace sbx {

std::int64_t utc_ms();
std::string rfc3339(std::int64_t ms);  // "2026-11-21T10:00:00.123Z"

}  // namespace sbx
