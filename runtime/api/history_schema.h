// What the history's file holds, version by version: a step is never changed, only followed by another.
#pragma once

#include <array>

namespace sbx::api {

// `number` is what rows of other tables say, and the order of runs of the same millisecond. The results lie
// apart, so that a search of the runs reads none of them. An index is in the order of the list.
inline constexpr const char* kHistoryRuns = R"(
CREATE TABLE runs (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  owner TEXT NOT NULL,
  task TEXT,
  project TEXT,
  sandbox TEXT,
  labels TEXT NOT NULL,        -- a JSON object
  created_ms INTEGER NOT NULL, -- since 1970, UTC
  status TEXT NOT NULL,        -- queued, running, or that of the result
  outcome TEXT,
  finished_ms INTEGER,         -- NULL: it has not ended
  output_bytes INTEGER,        -- of its file; NULL: there is none, or none any more
  result_bytes INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX runs_by_time ON runs (created_ms);
CREATE INDEX runs_by_owner ON runs (owner, created_ms);
CREATE INDEX runs_by_task ON runs (task, created_ms) WHERE task IS NOT NULL;
CREATE INDEX runs_by_project ON runs (project, created_ms) WHERE project IS NOT NULL;
CREATE INDEX runs_by_sandbox ON runs (sandbox, created_ms) WHERE sandbox IS NOT NULL;
CREATE INDEX runs_by_status ON runs (status, created_ms);
CREATE INDEX runs_by_outcome ON runs (outcome, created_ms) WHERE outcome IS NOT NULL;
CREATE INDEX runs_with_output ON runs (created_ms) WHERE output_bytes IS NOT NULL AND finished_ms IS NOT NULL;
CREATE INDEX runs_unfinished ON runs (number) WHERE finished_ms IS NULL;
CREATE TABLE results (
  run INTEGER PRIMARY KEY,
  json TEXT NOT NULL
);
CREATE TABLE labels (
  run INTEGER NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  created_ms INTEGER NOT NULL, -- of its run
  PRIMARY KEY (run, name)
) WITHOUT ROWID;
CREATE INDEX labels_by_value ON labels (name, value, created_ms);
)";

// What was made for requests with an Idempotency-Key.
inline constexpr const char* kHistoryKeys = R"(
CREATE TABLE keys (
  owner TEXT NOT NULL,
  key TEXT NOT NULL,
  request TEXT NOT NULL, -- hash of it
  id TEXT NOT NULL,      -- of the run or the sandbox
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (owner, key)
) WITHOUT ROWID;
CREATE INDEX keys_by_time ON keys (created_ms);
CREATE INDEX keys_by_id ON keys (id);
)";

// What projects make sandboxes with, by name.
inline constexpr const char* kConfigurations = R"(
CREATE TABLE configurations (
  project TEXT NOT NULL,
  name TEXT NOT NULL,
  owner TEXT NOT NULL,
  json TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  PRIMARY KEY (project, name)
);
CREATE INDEX configurations_by_owner ON configurations (owner);
)";

inline constexpr std::array kHistorySchema{kHistoryRuns, kHistoryKeys, kConfigurations};

}  // namespace sbx::api
