// How full the sized file systems of a sandbox are when it has ended.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx {

// One of them, kept open so that it can be asked.
struct StorageUse {
  std::string limit;             // "tmp_bytes" or "disk_bytes"
  UniqueFd place;                // somewhere on it
  std::uint64_t own_inodes = 0;  // of ours, which are not the program's to pay for
  bool on_disk = false;          // a file system that keeps a little back: nearly full is full
  bool is_workspace = false;     // the one that the result tells of
};

struct StorageReport {
  std::vector<LimitHit> hits;  // limits of bytes and inodes that were reached
  std::optional<std::uint64_t> workspace_bytes;
  std::optional<std::uint64_t> workspace_inodes;
};

// A regular file of the file system that the limit "tmp_bytes" bounds, after the last process is gone. `path`
// is below /tmp. Errors: it is not there, is none, is larger than `most` bytes.
Result<std::string> read_from_tmp(const std::vector<StorageUse>& uses, const std::string& path,
                                  std::size_t most);

StorageReport read_storage(const std::vector<StorageUse>& uses, const LimitSet& limits);

}  // namespace sbx
