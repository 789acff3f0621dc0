// For fuzzers that read tarballs.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstring>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most,
                                               unsigned seed);

namespace sbx::fuzz {

// A header with a wrong checksum ends the archive: few mutations would get further (POSIX pax, ustar).
inline void repair_checksums(std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kBlock = 512;
  constexpr std::size_t kSum = 148;
  for (std::size_t at = 0; at + kBlock <= size; at += kBlock) {
    std::uint8_t* block = data + at;
    if (std::memcmp(block + 257, "ustar", 5) != 0) continue;
    std::memset(block + kSum, ' ', 8);
    unsigned sum = 0;
    for (std::size_t i = 0; i < kBlock; ++i) sum += block[i];
    char digits[8];
    (void)std::snprintf(digits, sizeof digits, "%06o", sum);
    std::memcpy(block + kSum, digits, sizeof digits);
  }
}

}  // namespace sbx::fuzz
