// In which order the programs of a comparison run. Pure functions.
#pragma once

#include <cstddef>
#include <vector>

namespace sbx::bench {

// The order of one round: every index below `count` once. It differs from round to round, because a run pays
// for what its predecessor left behind (dead namespaces, groups to remove), and nobody shall always follow
// the same one. The same numbers give the same order every time.
std::vector<std::size_t> round_order(std::size_t round, std::size_t count);

}  // namespace sbx::bench
