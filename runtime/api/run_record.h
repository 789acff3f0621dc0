// A run as the history has it, and what can be asked of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/parse_request.h"
#include "api/query.h"

namespace sbx::api {

// What is known of a run from its beginning.
struct RunSummary {
  std::string id;
  std::string task;
  std::string project;
  std::string sandbox;  // of many commands; empty: one of its own
  Labels labels;
  std::string owner;            // who asked: "uid:1000" (api/client.h)
  std::int64_t created_ms = 0;  // since 1970, UTC
};

struct RunRecord {
  RunSummary about;
  std::string status = "queued";              // then "running"; at the end that of the result
  std::string outcome;                        // empty before the end, as the result
  std::string result;                         // one JSON object, without output
  std::int64_t finished_ms = 0;               // 0: it has not ended
  std::optional<std::uint64_t> output_bytes;  // of its file; nothing: there is none, or none any more
  std::int64_t number = 0;                    // of its row, where it comes from there

  [[nodiscard]] bool ended() const { return finished_ms != 0; }
};

// A place in the list, which has the newest first.
struct RunPosition {
  std::int64_t created_ms = 0;
  std::int64_t number = 0;
  bool operator==(const RunPosition&) const = default;
};

std::string cursor_of(RunPosition position);
Result<RunPosition> parse_cursor(const std::string& cursor);

// All that is given must be so.
struct RunFilter {
  std::optional<std::string> owner;
  std::optional<std::vector<std::string>> among;  // projects
  std::optional<std::string> owner_or_project;    // of this owner, or of whatever project
  std::optional<std::string> task;
  std::optional<std::string> project;
  std::optional<std::string> sandbox;
  std::optional<std::string> status;
  std::optional<std::string> outcome;
  WantedLabels labels;                   // all of them
  std::optional<std::int64_t> since_ms;  // created then or later
  std::optional<std::int64_t> until_ms;  // created before
  std::optional<RunPosition> behind;     // the last one of the page before
  std::size_t limit = 50;
};

struct RunPage {
  std::vector<RunRecord> runs;
  std::optional<RunPosition> next;  // there are more, behind it
};

// What was made for a request that had an Idempotency-Key.
struct MadeByKey {
  std::string owner;
  std::string key;
  std::string request;  // hash of it
  std::string id;       // of the run or the sandbox
  std::int64_t created_ms = 0;
};

}  // namespace sbx::api
