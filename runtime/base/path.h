// Paths as text.
#pragma once

#include <string_view>

namespace sbx {

// Whether `path` is `directory` or below it; both without a trailing slash.
inline bool is_below(std::string_view path, std::string_view directory) {
  return path == directory || (path.starts_with(directory) && path[directory.size()] == '/');
}

}  // namespace sbx
