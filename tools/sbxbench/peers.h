// What is compared: each peer is data, the ways to have it run any program in the same root.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "process.h"
#include "workbench.h"

namespace sbx::bench {

using Program = std::vector<std::string>;

// One way to start a peer. A host may refuse the first; the next asks for less or another
// environment, and its note says which: "without limits".
struct Way {
  std::string note;
  std::function<Result<Command>(const Program&)> command;
  std::optional<Command> clean_up;  // after a run that failed halfway
};

struct Peer {
  std::string name;       // one word: what --only takes
  std::string title;      // for the report
  Command version;        // prints the version in its first line; no arguments: it has none
  std::vector<Way> ways;  // best first; empty: not installed
};

inline constexpr const char* kNative = "native";
inline constexpr const char* kSbx = "sbx";

// All that we know, installed or not: native first, then sbx. `hidden_cgroup_v2` is borrowed, -1 where
// there is nothing to hide.
std::vector<Peer> make_peers(const Workbench& bench, const std::string& sbxrun, int hidden_cgroup_v2);

}  // namespace sbx::bench
