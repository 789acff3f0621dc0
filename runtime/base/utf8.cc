#include "base/utf8.h"

#include <sodium.h>

namespace sbx {

std::size_t valid_utf8_prefix(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto byte = [&](std::size_t offset) { return static_cast<unsigned char>(text[at + offset]); };
    if (byte(0) < 0x80) {
      ++at;
      continue;
    }
    std::size_t length = 0;
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    if (byte(0) >= 0xC2 && byte(0) <= 0xDF) length = 2;
    if (byte(0) >= 0xE0 && byte(0) <= 0xEF) length = 3;
    if (byte(0) >= 0xF0 && byte(0) <= 0xF4) length = 4;
    if (byte(0) == 0xE0) low = 0xA0;
    if (byte(0) == 0xED) high = 0x9F;
    if (byte(0) == 0xF0) low = 0x90;
    if (byte(0) == 0xF4) high = 0x8F;
    if (length == 0 || text.size() - at < length || byte(1) < low || byte(1) > high) return at;
    for (std::size_t i = 2; i < length; ++i) {
      if ((byte(i) & 0xC0U) != 0x80) return at;
    }
    at += length;
  }
  return at;
}

bool is_cut_character(std::string_view tail) {
  if (tail.empty() || tail.size() > 3) return false;
  for (const char* rest : {"\x80", "\x80\x80", "\x80\x80\x80", "\xBF\xBF", "\xBF\xBF\xBF"}) {
    const std::string whole = std::string(tail) + rest;
    if (valid_utf8_prefix(whole) == whole.size()) return true;
  }
  return false;
}

std::string base64(std::string_view bytes) {
  std::string text(sodium_base64_ENCODED_LEN(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  (void)sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                          bytes.size(), sodium_base64_VARIANT_ORIGINAL);
  text.pop_back();  // the terminating NUL
  return text;
}

}  // namespace sbx
