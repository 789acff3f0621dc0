// Refused system calls, counted inside the sandbox and read by the supervisor when it has ended: a memfd of
// this layout, which the supervisor makes and a process of init's writes. Plain numbers: whatever is in it,
// it is a count.
#pragma once

#include <stdint.h>

namespace sbx {

inline constexpr uint32_t kDenialCalls = 512;    // system calls by number; no known one is above
inline constexpr uint32_t kDenialFamilies = 64;  // socket families by number; the last stands for all others

struct DenialTable {
  uint64_t calls[kDenialCalls];
  uint64_t socket[kDenialFamilies];  // by the family asked for; counted in `calls`, too
  uint64_t socketpair[kDenialFamilies];
};

}  // namespace sbx
