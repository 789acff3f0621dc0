// Spans and moments of time on a command line.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace sbx {

// "30d", "12h", "90s": milliseconds. `flag`: what it was given to.
Result<std::uint64_t> parse_span(const std::string& flag, const std::string& text);

// RFC 3339, or a span: so long ago. Milliseconds since 1970.
Result<std::int64_t> parse_moment(const std::string& flag, const std::string& text);

}  // namespace sbx
