// Copies of trees of files that may be hostile. Steps are as in changes.h.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace sbx::tree {

enum class CopyKind : std::uint8_t {
  shared,  // files are hard links to the same ones, which must not change any more
  apart,   // files of their own; their blocks are shared where the file system can (FICLONE)
};

// Everything in the directory `from` into the empty directory `to`: permissions, times of change, attributes
// "user.*" but an overlay's, hard links to each other, holes. Entries belong to who calls. Devices are left
// out: no guest can make one. Error: ENAMETOOLONG when it lies too deep (kMostDepth), else what a call said.
Result<void> copy_tree(int from, int to, CopyKind kind);

// One entry that is no directory, to a name that is free.
Result<void> copy_entry(int from, const std::string& name, int to, const std::string& new_name,
                        CopyKind kind);

// Takes off what an overlay noted at a regular file of its upper layer.
Result<void> remove_overlay_notes(int directory, const std::string& name);

// Permissions, time and attributes of a directory as another has them.
Result<void> copy_attributes(int from, int to);

}  // namespace sbx::tree
