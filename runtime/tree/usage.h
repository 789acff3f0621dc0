// How much a tree of files takes, which may be hostile. Steps are as in changes.h.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace sbx::tree {

struct Usage {
  std::uint64_t bytes = 0;   // of blocks on the disk
  std::uint64_t inodes = 0;  // files and directories below the top
};

// A file with several names counts once. Error: ENAMETOOLONG when it lies too deep (kMostDepth).
Result<Usage> measure(int top);

}  // namespace sbx::tree
