// Ids that somebody else uses or gives out, and whether our pool is free of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "resource/id_pool.h"

namespace sbx {

struct IdRange {
  std::string owner;  // "/etc/subuid: alice"
  std::uint64_t first = 0;
  std::uint64_t count = 1;
  bool operator==(const IdRange&) const = default;
};

// Of /etc/passwd, /etc/group, /etc/subuid and /etc/subgid, where they are there, and what systemd gives to
// services and containers.
Result<std::vector<IdRange>> foreign_ids();

// Names of owners whose ids lie in the pool, without repetition.
std::vector<std::string> pool_overlaps(const IdPool& pool, const std::vector<IdRange>& others);

// "1879048192 to 2147483647"
std::string pool_text(const IdPool& pool);

// Refuses a pool that overlaps with ids of others, in the words of the doctor.
Result<void> check_id_pool(const IdPool& pool);

// --- parts, for the tests --------------------------------------------------------------------------------

// Ids of /etc/passwd or /etc/group: the third field of each line.
std::vector<IdRange> parse_account_ids(std::string_view file, std::string_view text);
// Ranges of /etc/subuid or /etc/subgid (subuid(5)): "name:first:count".
std::vector<IdRange> parse_subordinate_ids(std::string_view file, std::string_view text);

}  // namespace sbx
