#pragma once

#include <string>

#include "base/result.h"
#include "run/settings.h"

namespace sbx {

// Reads the configuration file into `settings`. `path` empty: /etc/sbx/config.yaml if there is one. Keys:
// state_dir, run_dir, log {path, rotate, keep}, id_pool {first, ranges}, cgroup_parent. Unknown key, wrong
// type or duplicate: an error with file, line and column.
Result<void> load_config(const std::string& path, Settings& settings);

}  // namespace sbx
