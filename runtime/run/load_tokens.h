// The file of tokens: who may come over TCP, and for what. Only digests are in it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/tokens.h"

namespace sbx {

// One that is missing has none. Errors: it does not belong to root, or others may read it; what is in it,
// with line and column.
Result<std::vector<Token>> load_tokens(const std::string& path);

// The same from text; `path` is for messages only.
Result<std::vector<Token>> parse_tokens(std::string_view path, std::string_view text);

// What parse_tokens reads.
std::string write_tokens(const std::vector<Token>& tokens);

}  // namespace sbx
