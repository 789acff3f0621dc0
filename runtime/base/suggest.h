// Words for an error about a word that is not one of those that there are.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace sbx {

// "'a', 'b' or 'c'"
std::string one_of(std::span<const std::string_view> words);

// For a word that is not in `known`: "did you mean 'x'?", or all of them when none is near.
std::string suggest(std::string_view word, std::span<const std::string_view> known);

}  // namespace sbx
