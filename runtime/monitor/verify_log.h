// Whether a monitor log is what was written: its chain (chain.h) over all of its files, the oldest first.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "monitor/chain.h"
#include "monitor/log_file.h"

namespace sbx {

struct LogProblem {
  std::string file;
  std::uint64_t line = 0;  // in that file, from 1 on; 0: its end
  std::string text;
};

struct VerifiedLog {
  std::uint64_t lines = 0;           // with a link
  std::uint64_t unlinked = 0;        // from before there was a chain
  std::uint64_t torn = 0;            // begun, and never ended: a crash or a full disk; no part of the chain
  std::uint64_t lost = 0;            // that could not be written and are not in the log yet
  std::uint64_t first_seq = 0;       // 0: there is none. Above 1: older ones were rotated away
  LogHead head;                      // of the last line
  std::vector<LogProblem> problems;  // the first kMostProblems
  std::uint64_t problem_count = 0;
};

constexpr std::size_t kMostProblems = 100;

// What was noted of the chain at another time and kept elsewhere.
struct LogPin {
  std::uint64_t seq = 0;
  std::string hash;
};

// Reads all of it once, whatever its size, in little memory; who writes meanwhile is not kept from it. `keep`
// of the options is not looked at: all PATH.N that are there count. Errors: it cannot be read.
Result<VerifiedLog> verify_log(const std::string& path, const std::optional<LogPin>& pin);

}  // namespace sbx
