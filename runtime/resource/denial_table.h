// The supervisor's end of the counts of refused system calls (wire/denials.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx {

// A system call that was refused, and how often. Of socket and socketpair by address family (AF_*,
// address_families(7)).
struct Denial {
  std::string syscall;
  std::uint64_t count = 0;
  std::optional<std::uint32_t> family;
  bool operator==(const Denial&) const = default;
};

// A memfd for the table, all 0, of a size that nobody can change.
Result<UniqueFd> make_denial_table();

// What was counted, by number of the call and of the family; sandboxes that count are over.
std::vector<Denial> read_denial_table(int table);

}  // namespace sbx
