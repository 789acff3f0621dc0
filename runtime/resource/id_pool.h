// Host id ranges: 65,536 ids per live sandbox, each range claimed by two flocks that the kernel drops when
// their holder dies.
//
//   /run/sbx/claims/28689   "/run/sbx/ids/17": the journal of the range's last sandbox
//   RUN/ids/17              "cgroup /sys/fs/cgroup/memory/sbx.…\n" …, then "record {…one monitor line…}\n" …
//
// The first, named by the range itself, is the same for all run directories of the machine. The second is the
// sandbox's journal: what has to be cleaned up and recorded when the holder was killed. Empty: nothing is
// left of its last sandbox.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx {

// The first range (slot 0) belongs to the service id that owns projects on disk; sandboxes get the others.
// `first` is a multiple of 65,536: ranges of two pools are the same or apart.
// Default: above systemd's container ranges and below 2^31 (systemd's UIDS-GIDS document: unused).
struct IdPool {
  std::uint32_t first = 1'879'048'192;  // 0x70000000
  std::uint32_t ranges = 4096;

  [[nodiscard]] std::uint32_t service_id() const { return first; }
};

struct Journal {
  std::vector<std::string> cgroups;
  std::vector<std::string> records;  // the lines for the monitor log, of each command that ran
  std::string log;                   // where that is; empty: where the sweeper's own is
};

std::string journal_text(const Journal& journal);
Journal parse_journal(std::string_view text);

class IdClaim {
 public:
  IdClaim() = default;
  // `range`: the lock that holds for the machine. None is needed to sweep: the journal keeps the range.
  IdClaim(std::uint32_t first_id, std::string path, UniqueFd lock, UniqueFd range = {})
      : first_id_(first_id), path_(std::move(path)), lock_(std::move(lock)), range_(std::move(range)) {}

  [[nodiscard]] std::uint32_t first_id() const { return first_id_; }
  [[nodiscard]] std::uint32_t outside(std::uint32_t inside) const { return first_id_ + inside; }

  Result<void> write_journal(const Journal& journal) const;
  // Nothing is left of the sandbox: the range may be used again.
  Result<void> clear_journal() const;

 private:
  std::uint32_t first_id_ = 0;
  std::string path_;
  UniqueFd lock_;
  UniqueFd range_;
};

inline constexpr const char* kMachineClaims = "/run/sbx/claims";

// A range that no run directory of this machine uses. Ranges that a killed supervisor left are not free
// before they were recovered.
Result<IdClaim> claim_ids(const std::string& run_dir, const IdPool& pool,
                          const std::string& machine_claims = kMachineClaims);

// A range left by a dead holder, claimed so that nobody else works on it.
struct Orphan {
  IdClaim claim;
  Journal journal;
};
Result<std::vector<Orphan>> find_orphans(const std::string& run_dir, const IdPool& pool);

}  // namespace sbx
