// Brings the database of runs up to the monitor log.
#pragma once

#include <string>

#include "base/result.h"
#include "monitor/run_store.h"

namespace sbx {

// Takes the runs of what was written to the log at `path` since the last time, over rotated files; where that
// is gone, of all that is there. How many lines were read. Any number of processes may do so at once.
Result<std::uint64_t> follow_log(const std::string& path, RunStore& store);

// The store of STATE/monitor, made anew from the log where it is broken (what was there is kept as
// runs.db.broken), up to the log, and with no more than `limits` say. `told`: what was done about a broken
// one.
Result<RunStore> open_followed(const std::string& state_dir, const std::string& log_path,
                               const RunLimits& limits, std::string& told);

}  // namespace sbx
