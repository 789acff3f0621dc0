// Sizes, durations and counts as people write them on a command line or in a policy.
// Sizes: K M G (1024-based, case-insensitive), bare = bytes. Durations: ms s m h, bare = seconds.
// 0, negative values, overflow and nonsense are errors that name `what` (a flag or a key); their number is
// EDOM for what is too small and ERANGE for what is too large.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sbx {

Result<std::uint64_t> parse_bytes(std::string_view what, std::string_view text);
Result<std::uint64_t> parse_milliseconds(std::string_view what, std::string_view text);
Result<std::uint64_t> parse_count(std::string_view what, std::string_view text);

// CPUs as a decimal number ("0.5", "2"), in thousandths: 500, 2000. At least 0.01.
Result<std::uint64_t> parse_milli_cpus(std::string_view what, std::string_view text);

// The shortest exact form that the parsers read back: "512M", "1500ms", "10s".
std::string format_bytes(std::uint64_t bytes);
std::string format_milliseconds(std::uint64_t milliseconds);
std::string format_milli_cpus(std::uint64_t milli_cpus);

}  // namespace sbx
