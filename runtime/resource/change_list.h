// What a run or a transaction changed in a project, as lists and results show it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tree/changes.h"

namespace sbx {

// In the order of tree::compare.
struct ChangeList {
  std::uint64_t added = 0;
  std::uint64_t changed = 0;
  std::uint64_t deleted = 0;
  std::vector<tree::Change> list;
  bool truncated = false;  // there are more than `list` has
  bool operator==(const ChangeList&) const = default;
};

// Counts one more, and keeps it if fewer than `most` are kept and their paths take less than `most_bytes`.
void add_change(ChangeList& changes, tree::Change change, std::size_t most, std::size_t& bytes_left);

// As it crosses the border of a worker.
std::string encode_change_list(const ChangeList& changes);
Result<ChangeList> decode_change_list(std::string_view bytes);

// A line for each: "A path", "M path", "D path", behind a file whose permissions are others " (0644 to
// 0755)". What a guest named cannot drive a terminal. At the end how many there are more, if any.
std::string describe_changes(const ChangeList& changes);

}  // namespace sbx
