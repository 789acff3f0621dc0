// The list of runs as a statement, and a row of it as a run.
#pragma once

#include <string>
#include <vector>

#include "api/run_record.h"
#include "os/database.h"

namespace sbx::api {

// Of `runs r` and `results`, in the order in which read_run takes them.
inline constexpr const char* kRunColumns =
    "r.number, r.id, r.owner, r.task, r.project, r.sandbox, r.labels, r.created_ms, r.status, r.outcome, "
    "r.finished_ms, r.output_bytes, results.json";

RunRecord read_run(const Rows& row);

struct HistoryQuery {
  std::string sql;
  std::vector<Value> values;
};

// One row more than the limit, where there is one. It follows one index, in its order: what is found first is
// what is told, and nothing is sorted.
HistoryQuery make_list_query(const RunFilter& filter);

}  // namespace sbx::api
