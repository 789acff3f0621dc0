// Parsed policies by their content: reading the YAML takes longer than starting a sandbox's init.
#pragma once

#include <string>
#include <string_view>

#include "policy/policy.h"

namespace sbx {

// parse_policy(path, text), from `cache_dir` when the same text was read before. Only good policies are kept.
Result<Policy> parse_policy_cached(std::string_view path, std::string_view text,
                                   const std::string& cache_dir);

}  // namespace sbx
