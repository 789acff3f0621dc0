// All runs of the monitor log in a database, to be searched and counted: STATE/monitor/runs.db (SQLite). The
// log is what counts: this is made from it, and made anew when it is broken.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "monitor/run_entry.h"
#include "os/database.h"

namespace sbx {

// How far the log was read: a file of it, and a place there.
struct LogPlace {
  std::uint64_t inode = 0;  // 0: nothing was read
  std::uint64_t offset = 0;
  bool operator==(const LogPlace&) const = default;
};

struct RunLimits {
  std::uint64_t runs = 100'000;
  std::optional<std::uint32_t> days = 30;
};

// A place in the list, which has the newest first.
struct RunPlace {
  std::int64_t created_ms = 0;
  std::int64_t number = 0;
};

// All that is given must be so.
struct RunSearch {
  std::string task;
  std::string project;
  std::string image;
  std::string language;
  std::string outcome;
  std::string status;
  std::string failure;
  std::optional<std::int64_t> since_ms;  // created then or later
  std::optional<std::int64_t> until_ms;  // created before
  std::optional<RunPlace> behind;
  std::size_t limit = 50;
};

struct RunList {
  std::vector<RunEntry> runs;
  std::optional<RunPlace> next;  // there are more, behind it
};

class RunStore {
 public:
  // Made if it is not there. An error with EUCLEAN: it is broken, or of a newer version.
  static Result<RunStore> open(const std::string& path);

  // What was read of the log from `before` on, and how far that goes: all of it or nothing. Nothing is done
  // where another one has done so meanwhile. Runs that are there already stay as they are.
  Result<void> add(const std::vector<RunEntry>& runs, const LogPlace& before, const LogPlace& after);
  Result<LogPlace> place() const;
  // The oldest are forgotten, as far as there are too many or they are too old.
  Result<void> forget(const RunLimits& limits, std::int64_t now_ms);

  // Those whose id begins so, the newest first, at most two: more than one is ambiguous.
  Result<std::vector<RunEntry>> find(const std::string& beginning);
  Result<RunList> list(const RunSearch& search) const;
  // Calls `each` with every run that is searched for, in no order, without its line. `limit` and `behind` are
  // not looked at.
  Result<void> for_each(const RunSearch& search, const std::function<void(const RunEntry&)>& each) const;

 private:
  RunStore() = default;

  Database database_;
  Statement insert_;
  Statement insert_line_;
  Statement find_;
  Statement set_place_;
};

}  // namespace sbx
