// What the host's root notes about the generations of a project, in STATE/projects/ID, where no guest writes:
//   head            the generation that runs see, and whether its files are its own alone
//   branches/ID     a transaction: the generation it began with
//   snapshots/NAME  a generation that is kept
// Each is replaced whole and is on the disk when the call returns. A record is a line of words: it names no
// path and holds nothing of a guest's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace sbx {

struct Head {
  std::uint64_t generation = 1;
  bool apart = true;  // no other generation has one of its files: it may be written in place
  bool operator==(const Head&) const = default;
};

struct BranchRecord {
  std::string id;
  std::uint64_t base = 0;
  std::string created;        // RFC 3339 UTC
  std::string task;           // of the run that began it; empty: none
  std::uint64_t becomes = 0;  // the generation that a commit makes of it now; 0: none does
  bool operator==(const BranchRecord&) const = default;
};

struct SnapshotRecord {
  std::string name;
  std::uint64_t generation = 0;
  std::string created;
  bool operator==(const SnapshotRecord&) const = default;
};

// The caller holds the project's lock `changing`, or only looks.
class ProjectStore {
 public:
  // `directory`: STATE/projects/ID.
  explicit ProjectStore(std::string directory) : directory_(std::move(directory)) {}

  // Nothing: it was made before there were generations.
  [[nodiscard]] Result<std::optional<Head>> head() const;
  // The new one takes the place of the old one in one step (RENAME_EXCHANGE, renameat2(2)).
  [[nodiscard]] Result<void> set_head(const Head& head) const;

  // In the order of their ids, which is that of their times.
  [[nodiscard]] Result<std::vector<BranchRecord>> branches() const;
  // Error: ENOENT when there is none of that id.
  [[nodiscard]] Result<BranchRecord> branch(const std::string& id) const;
  [[nodiscard]] Result<void> write_branch(const BranchRecord& record) const;
  [[nodiscard]] Result<void> remove_branch(const std::string& id) const;

  // In the order of their names.
  [[nodiscard]] Result<std::vector<SnapshotRecord>> snapshots() const;
  // Error: ENOENT when there is none of that name.
  [[nodiscard]] Result<SnapshotRecord> snapshot(const std::string& name) const;
  [[nodiscard]] Result<void> write_snapshot(const SnapshotRecord& record) const;
  [[nodiscard]] Result<void> remove_snapshot(const std::string& name) const;

  // What a killed writer left of a record. The caller holds `changing`.
  [[nodiscard]] Result<void> remove_unfinished() const;

  [[nodiscard]] const std::string& directory() const { return directory_; }

 private:
  std::string directory_;
};

}  // namespace sbx
