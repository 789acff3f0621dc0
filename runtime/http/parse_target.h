// The target of a request taken apart (RFC 9112 section 3.2, RFC 3986). Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace sbx::http {

inline constexpr std::size_t kMaxTargetBytes = 8192;  // RFC 9112 section 3 asks for 8000
inline constexpr std::size_t kMaxQueryFields = 256;

struct Target {
  std::string path;
  std::vector<std::pair<std::string, std::string>> query;
};

// Of the forms "/path?query" and "http://host/path?query"; "*" and "host:port" are refused. What holds of
// path and query is in message.h. A path that others could read differently is refused, not cleaned.
Result<Target> parse_target(std::string_view target);

}  // namespace sbx::http
