// Brings what changed on the way from one tree to another into a third one.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "tree/changes.h"

namespace sbx::tree {

// In the order of `compare`.
using Changes = std::vector<Change>;

// Paths that both changed since the tree they began with, and not to the same: sorted, each once. What one of
// them deleted or made into something else conflicts with what the other one has below it. `same`: whether
// what both have at a path now is the same content.
Result<std::vector<std::string>> find_conflicts(const Changes& ours, const Changes& theirs,
                                                const std::function<Result<bool>(const std::string&)>& same);

// Makes `changes` in `target`, with files of the tree `from` where they are after them, as hard links. Nobody
// else works in `target`, and nothing there conflicts.
Result<void> apply_changes(const Changes& changes, int from, int target);

}  // namespace sbx::tree
