// Text of others on a terminal.
#pragma once

#include <string>
#include <string_view>

namespace sbx {

// `text` on one line that cannot drive a terminal: '?' for every byte of a control character (C0, DEL, and
// C1, U+0080 to U+009F, of which U+009B begins a command as ESC [ does) and of what is no UTF-8.
std::string printable(std::string_view text);

}  // namespace sbx
