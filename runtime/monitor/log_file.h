// The monitor log: JSON lines, appended under a lock by any number of processes at once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sbx {

struct MonitorLogOptions {
  std::string path = "/var/log/sbx/monitor.jsonl";
  std::uint64_t rotate_bytes = 64ULL << 20;  // the file is renamed to PATH.1 (older ones move on) past this
  unsigned keep = 5;                         // rotated files kept
  std::string syslog{};  // socket of the host's log, which gets each line, too; empty: it does not
};

// Appends one line: `record`, an object of JSON, with its link of the chain (chain.h) and an end. Creates the
// directory (0700) and the file (0600). Append and rotation happen under an flock of PATH.lock, so parallel
// writers lose nothing; a torn last line (a crash or a full disk in the middle of a write) is ended with a
// line break first, so that it spoils no other line. Errors (full disk, read-only file system) are returned,
// never thrown: a run does not fail because its record could not be written. How many were lost so, since
// when and why, is a line of its own, the event `log.lost`, before the next one that can be written.
Result<void> append_to_monitor_log(const MonitorLogOptions& options, std::string_view record);

}  // namespace sbx
