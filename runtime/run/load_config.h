#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "run/settings.h"

namespace sbx {

inline constexpr const char* kDefaultConfig = "/etc/sbx/config.yaml";

// Reads the configuration file into `settings`. `path` empty: /etc/sbx/config.yaml if there is one. Keys:
// state_dir, run_dir, log {path, rotate, keep}, id_pool {first, ranges}, cgroup_parent and more
// (docs/configuration.md). Unknown key, wrong type or duplicate: an error with file, line and column.
Result<void> load_config(const std::string& path, Settings& settings);

// The same from text; `path` is for messages only.
Result<void> parse_config(std::string_view path, std::string_view text, Settings& settings);

}  // namespace sbx
