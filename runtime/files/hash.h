// SHA-256 (FIPS 180-4), by libsodium.
#pragma once

#include <sodium/crypto_hash_sha256.h>

#include <string>
#include <string_view>

#include "files/operations.h"

namespace sbx::files {

class Hash {
 public:
  Hash() { (void)crypto_hash_sha256_init(&state_); }
  void add(std::string_view bytes) {
    (void)crypto_hash_sha256_update(&state_, reinterpret_cast<const unsigned char*>(bytes.data()),
                                    bytes.size());
  }
  std::string finish() {
    static_assert(kHashBytes == crypto_hash_sha256_BYTES);
    std::string hash(kHashBytes, '\0');
    (void)crypto_hash_sha256_final(&state_, reinterpret_cast<unsigned char*>(hash.data()));
    return hash;
  }

 private:
  crypto_hash_sha256_state state_{};
};

// Of what is left to read of an open file.
Done<std::string> hash_of(int file);

}  // namespace sbx::files
