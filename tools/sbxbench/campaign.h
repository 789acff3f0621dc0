// Runs the programs of a comparison in turn and keeps the times.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "isolation.h"
#include "peers.h"
#include "statistics.h"

namespace sbx::bench {

struct Scenario {
  std::string name;
  std::string about;
  Program program;
  std::chrono::milliseconds pause;  // before every run
  std::size_t rounds;               // unless the user says otherwise
};

// A peer that takes part, or the reason why it does not (`error`; it then has no samples).
struct Row {
  std::string name;
  std::string title;
  std::string version;
  std::string note;
  std::string error;
  Command command;
  std::optional<Command> clean_up;
  std::optional<Isolation> isolation;  // empty: could not be looked at, `note` says why
  Samples samples;                     // one per round
};

// Finds the way in which the peer runs on this host, by trying, and looks at what it isolates.
Row prepare(const Peer& peer, const Program& program);

struct Rounds {
  std::size_t warm_up;  // not counted
  std::size_t counted;
  std::chrono::milliseconds pause;
};

// Before each run: how many runs are done, of how many, and whose turn it is. False: stop here.
using Progress = std::function<bool(std::size_t done, std::size_t total, const Row& next)>;

// Every round runs each row without error once. One that fails is left out from then on, and its samples
// are dropped. False: stopped.
bool run_rounds(std::vector<Row>& rows, const Rounds& rounds, const Progress& progress);

}  // namespace sbx::bench
