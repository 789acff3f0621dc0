// Keepers that do not end by themselves when everything is stopped: one that hangs would go on unsupervised.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sbx {

// From now on the children of our children that end become ours (PR_SET_CHILD_SUBREAPER, prctl(2)).
void adopt_orphans();

// Waits for all children, and kills those that are there after `grace` nanoseconds; how many that were.
std::size_t end_children(std::int64_t grace);

}  // namespace sbx
