// Host id ranges: 65,536 ids per live sandbox, each range claimed by an flock that the kernel drops when its
// holder dies. The claim's file is also the sandbox's journal: what has to be cleaned up and recorded when
// the holder was killed. An empty file: nothing is left of its last sandbox.
//
//   RUN/ids/17    "cgroup /sys/fs/cgroup/memory/sbx.…\n" …, then "record {…one monitor line…}\n"
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx {

// The first range (slot 0) belongs to the service id that owns projects on disk; sandboxes get the others.
// Default: above systemd's container ranges and below 2^31 (systemd's UIDS-GIDS document: unused).
struct IdPool {
  std::uint32_t first = 1'879'048'192;  // 0x70000000
  std::uint32_t ranges = 4096;

  [[nodiscard]] std::uint32_t service_id() const { return first; }
};

struct Journal {
  std::vector<std::string> cgroups;
  std::string record;  // the line for the monitor log
};

std::string journal_text(const Journal& journal);
Journal parse_journal(std::string_view text);

class IdClaim {
 public:
  IdClaim() = default;
  IdClaim(std::uint32_t first_id, std::string path, UniqueFd lock)
      : first_id_(first_id), path_(std::move(path)), lock_(std::move(lock)) {}

  [[nodiscard]] std::uint32_t first_id() const { return first_id_; }
  [[nodiscard]] std::uint32_t outside(std::uint32_t inside) const { return first_id_ + inside; }

  Result<void> write_journal(const Journal& journal) const;
  // Nothing is left of the sandbox: the range may be used again.
  Result<void> clear_journal() const;

 private:
  std::uint32_t first_id_ = 0;
  std::string path_;
  UniqueFd lock_;
};

// A free range. Ranges that a killed supervisor left are not free before they were recovered.
Result<IdClaim> claim_ids(const std::string& run_dir, const IdPool& pool);

// A range left by a dead holder, claimed so that nobody else works on it.
struct Orphan {
  IdClaim claim;
  Journal journal;
};
Result<std::vector<Orphan>> find_orphans(const std::string& run_dir, const IdPool& pool);

}  // namespace sbx
