#include "base/hash.h"

#include <algorithm>
#include <array>

namespace sbx {
namespace {

using Digest = std::array<unsigned char, 32>;

std::string hex_of(const Digest& digest) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : digest) {
    text += kHex[byte >> 4U];
    text += kHex[byte & 0x0FU];
  }
  return text;
}

}  // namespace

std::string Sha256::hex() {
  Digest digest{};
  static_assert(digest.size() == crypto_hash_sha256_BYTES);
  (void)crypto_hash_sha256_final(&state_, digest.data());
  return hex_of(digest);
}

std::string blake2b_hex(std::string_view bytes) {
  Digest digest{};
  (void)crypto_generichash(digest.data(), digest.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                           bytes.size(), nullptr, 0);
  return hex_of(digest);
}

bool is_sha256_hex(std::string_view text) {
  return text.size() == std::size_t{2} * crypto_hash_sha256_BYTES &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

}  // namespace sbx
