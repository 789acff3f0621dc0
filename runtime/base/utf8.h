// UTF-8, and bytes that are none.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sbx {

// How many bytes from the front are whole, valid characters (RFC 3629: no overlong forms, no surrogates,
// nothing above U+10FFFF).
std::size_t valid_utf8_prefix(std::string_view text);

// True for the first bytes of a character whose rest is missing.
bool is_cut_character(std::string_view tail);

// RFC 4648, section 4.
std::string base64(std::string_view bytes);

}  // namespace sbx
