// Times of the calendar: milliseconds since 1970, UTC, and as RFC 3339.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sbx {

std::int64_t utc_ms();
std::string rfc3339(std::int64_t ms);  // "2026-11-21T10:00:00.123Z"
// Of that form, with 'Z' or an offset from UTC; digits beyond milliseconds are left out. Nothing: it is none.
std::optional<std::int64_t> parse_rfc3339(std::string_view text);

}  // namespace sbx
