// Hashes (libsodium).
#pragma once

#include <sodium.h>

#include <string>
#include <string_view>

namespace sbx {

class Sha256 {
 public:
  Sha256() { (void)crypto_hash_sha256_init(&state_); }
  void update(std::string_view bytes) {
    (void)crypto_hash_sha256_update(&state_, reinterpret_cast<const unsigned char*>(bytes.data()),
                                    bytes.size());
  }
  // Lower-case hex, 64 characters. The object is spent afterwards.
  std::string hex();

 private:
  crypto_hash_sha256_state state_{};
};

std::string sha256_hex(std::string_view bytes);

// 64 characters of lower-case hex.
bool is_sha256_hex(std::string_view text);

// BLAKE2b with 256 bits (RFC 7693), the same form: for what only we compare, at a third of the time.
std::string blake2b_hex(std::string_view bytes);

}  // namespace sbx
