// The part of the command line that is in words of a language: --language and what belongs to it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "options.h"

namespace sbx::sbxrun {

bool is_language_option(std::string_view name);

// One of them. Files are read here, with the caller's rights.
Result<void> apply_language_option(const std::string& name, const std::string& what, const std::string& value,
                                   Options& options);

// What stands behind the options: '-' or a path inside, and behind "--" the arguments of the program.
Result<void> take_language_words(std::vector<std::string> rest, bool after_dashes, Options& options);

}  // namespace sbx::sbxrun
