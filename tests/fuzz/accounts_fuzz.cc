// /etc/passwd and /etc/group, /etc/subuid and /etc/subgid: whose ids lie in our pool is told right, whatever
// numbers are in these files.
#include <algorithm>

#include "fuzz/fuzz.h"
#include "plan/sandbox_plan.h"
#include "resource/foreign_ids.h"

namespace sbx::fuzz {
namespace {

void must_overlap_rightly(const std::vector<IdRange>& ranges) {
  const IdPool pool;
  const std::vector<std::string> owners = pool_overlaps(pool, ranges);
  for (const IdRange& range : ranges) {
    // In numbers that cannot overflow.
    __extension__ using Wide = __int128;
    const Wide end = Wide{range.first} + Wide{range.count};
    const Wide pool_end = Wide{pool.first} + Wide{pool.ranges} * kIdsPerSandbox;
    const bool overlaps = range.count > 0 && Wide{range.first} < pool_end && end > Wide{pool.first};
    if (overlaps)
      must(std::ranges::find(owners, range.owner) != owners.end(), "an owner is named", range.owner);
    const bool others = std::ranges::count(ranges, range.owner, &IdRange::owner) > 1;
    if (!overlaps && !others) {
      must(std::ranges::find(owners, range.owner) == owners.end(), "nobody else is named", range.owner);
    }
  }
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = sbx::fuzz::text_of(data, size);
  sbx::fuzz::must_overlap_rightly(sbx::parse_account_ids("/etc/passwd", text));
  sbx::fuzz::must_overlap_rightly(sbx::parse_subordinate_ids("/etc/subuid", text));
  return 0;
}
