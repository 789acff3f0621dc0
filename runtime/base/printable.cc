#include "base/printable.h"

#include <algorithm>
#include <array>

namespace sbx {
namespace {

// The forms of a UTF-8 character of more than one byte (Unicode, table 3-7), but for the C1 control
// characters: the second byte decides about overlong forms, surrogates and what is beyond U+10FFFF.
struct Form {
  unsigned char first_from, first_to, second_from, second_to;
  std::size_t size;
};
constexpr std::array<Form, 9> kForms{{{0xC2, 0xC2, 0xA0, 0xBF, 2},
                                      {0xC3, 0xDF, 0x80, 0xBF, 2},
                                      {0xE0, 0xE0, 0xA0, 0xBF, 3},
                                      {0xE1, 0xEC, 0x80, 0xBF, 3},
                                      {0xED, 0xED, 0x80, 0x9F, 3},
                                      {0xEE, 0xEF, 0x80, 0xBF, 3},
                                      {0xF0, 0xF0, 0x90, 0xBF, 4},
                                      {0xF1, 0xF3, 0x80, 0xBF, 4},
                                      {0xF4, 0xF4, 0x80, 0x8F, 4}}};

// How many bytes the character has that `text` begins with; 0: it is none that may be shown.
std::size_t shown_size(std::string_view text) {
  const auto byte = [text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return first < 0x20 || first == 0x7F ? 0 : 1;
  const auto* form = std::ranges::find_if(
      kForms, [first](const Form& one) { return first >= one.first_from && first <= one.first_to; });
  if (form == kForms.end() || text.size() < form->size) return 0;
  if (byte(1) < form->second_from || byte(1) > form->second_to) return 0;
  for (std::size_t at = 2; at < form->size; ++at) {
    if ((byte(at) & 0xC0U) != 0x80) return 0;
  }
  return form->size;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const std::size_t size = shown_size(text);
    shown += size == 0 ? "?" : text.substr(0, size);
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return shown;
}

}  // namespace sbx
