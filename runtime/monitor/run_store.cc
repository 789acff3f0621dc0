#include "monitor/run_store.h"

#include <cerrno>

namespace sbx {
namespace {

constexpr std::int64_t kDayMs = 24LL * 60 * 60 * 1000;

// Lines lie apart, so that a search of the runs reads none of them.
constexpr const char* kSchema = R"(
CREATE TABLE runs (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  task TEXT NOT NULL,
  project TEXT NOT NULL,
  sandbox TEXT NOT NULL,
  image TEXT NOT NULL,
  language TEXT NOT NULL,
  caller TEXT NOT NULL,
  outcome TEXT NOT NULL,
  status TEXT NOT NULL,
  failure TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  finished_ms INTEGER NOT NULL,
  waited_ms INTEGER,
  wall_ms INTEGER,
  cpu_ms INTEGER,
  memory_bytes INTEGER,
  pids INTEGER
);
CREATE INDEX runs_by_time ON runs (created_ms);
CREATE INDEX runs_by_task ON runs (task, created_ms) WHERE task <> '';
CREATE INDEX runs_by_project ON runs (project, created_ms) WHERE project <> '';
CREATE TABLE lines (run INTEGER PRIMARY KEY, json TEXT NOT NULL);
CREATE TABLE place (one INTEGER PRIMARY KEY CHECK (one = 1), inode INTEGER NOT NULL, offset INTEGER NOT NULL);
PRAGMA user_version = 1;
)";

// In the order in which read_entry takes them.
constexpr const char* kColumns =
    "r.number, r.id, r.task, r.project, r.sandbox, r.image, r.language, r.caller, r.outcome, r.status, "
    "r.failure, "
    "r.created_ms, r.finished_ms, r.waited_ms, r.wall_ms, r.cpu_ms, r.memory_bytes, r.pids";
constexpr int kLineColumn = 18;

std::optional<std::int64_t> number_or_nothing(const Rows& rows, int column) {
  if (rows.is_null(column)) return {};
  return rows.integer(column);
}

Value or_null(const std::optional<std::int64_t>& number) { return number ? Value(*number) : Value(); }

RunEntry read_entry(const Rows& rows) {
  RunEntry run;
  int column = 0;
  for (std::string* text : {&run.id, &run.task, &run.project, &run.sandbox, &run.image, &run.language,
                            &run.caller, &run.outcome, &run.status, &run.failure})
    *text = rows.text(++column);
  run.created_ms = rows.integer(++column);
  run.finished_ms = rows.integer(++column);
  for (std::optional<std::int64_t>* number :
       {&run.waited_ms, &run.wall_ms, &run.cpu_ms, &run.memory_bytes, &run.pids})
    *number = number_or_nothing(rows, ++column);
  return run;
}

struct Query {
  std::string where = " WHERE 1";
  std::vector<Value> values;

  void add(const std::string& condition, Value value) {
    where += " AND " + condition;
    values.push_back(std::move(value));
  }
};

Query make_query(const RunSearch& search) {
  Query query;
  for (const auto& [column, value] : {std::pair{"task", &search.task},
                                      {"project", &search.project},
                                      {"image", &search.image},
                                      {"language", &search.language},
                                      {"outcome", &search.outcome},
                                      {"status", &search.status},
                                      {"failure", &search.failure}}) {
    if (!value->empty()) query.add("r." + std::string(column) + " = ?", *value);
  }
  // Also for SQLite: an index of these columns has no rows without them.
  if (!search.task.empty()) query.where += " AND r.task <> ''";
  if (!search.project.empty()) query.where += " AND r.project <> ''";
  if (search.since_ms) query.add("r.created_ms >= ?", *search.since_ms);
  if (search.until_ms) query.add("r.created_ms < ?", *search.until_ms);
  return query;
}

}  // namespace

Result<RunStore> RunStore::open(const std::string& path) {
  RunStore store;
  store.database_ = TRY(Database::open(path, "runs"));
  const Database& database = store.database_;
  const auto prepare = [&]() -> Result<void> {
    const std::int64_t version = TRY(database.number("PRAGMA user_version"));
    if (version > 1)
      return fail(Error{"runs: it is of a newer sbx (version " + std::to_string(version) + ")", EUCLEAN});
    if (version == 0) {
      Transaction transaction = TRY(Transaction::begin(database));
      // Another one may have been quicker.
      const std::int64_t now = TRY(database.number("PRAGMA user_version"));
      if (now == 0) TRY(database.execute(kSchema));
      TRY(transaction.commit());
    }
    store.insert_ =
        TRY(database.prepare("INSERT OR IGNORE INTO runs (id, task, project, sandbox, image, language, "
                             "caller, outcome, status, failure, "
                             "created_ms, finished_ms, waited_ms, wall_ms, cpu_ms, memory_bytes, pids) "
                             "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
    store.insert_line_ = TRY(database.prepare("INSERT INTO lines (run, json) VALUES (?, ?)"));
    store.find_ = TRY(database.prepare(std::string("SELECT ") + kColumns +
                                       ", lines.json FROM runs r JOIN lines ON lines.run = r.number WHERE "
                                       "substr(r.id, 1, length(?1)) = ?1 AND r.id >= ?1 "
                                       "ORDER BY r.id = ?1 DESC, r.created_ms DESC LIMIT 2"));
    store.set_place_ =
        TRY(database.prepare("INSERT OR REPLACE INTO place (one, inode, offset) VALUES (1, ?, ?)"));
    return {};
  };
  Result<void> ready = prepare();
  if (ready) return store;
  // It is a database, and not what ours is.
  if (ready.error().error_number == EINVAL) ready.error().error_number = EUCLEAN;
  return fail(ready.error());
}

Result<void> RunStore::add(const std::vector<RunEntry>& runs, const LogPlace& before, const LogPlace& after) {
  Transaction transaction = TRY(Transaction::begin(database_));
  const LogPlace now = TRY(place());
  if (now != before) return {};  // another one has read this meanwhile
  for (const RunEntry& run : runs) {
    const std::int64_t added =
        TRY(database_.change(insert_, {run.id, run.task, run.project, run.sandbox, run.image, run.language,
                                       run.caller, run.outcome, run.status, run.failure, run.created_ms,
                                       run.finished_ms, or_null(run.waited_ms), or_null(run.wall_ms),
                                       or_null(run.cpu_ms), or_null(run.memory_bytes), or_null(run.pids)}));
    if (added == 1) (void)TRY(database_.change(insert_line_, {database_.last_row(), run.json}));
  }
  (void)TRY(database_.change(
      set_place_, {static_cast<std::int64_t>(after.inode), static_cast<std::int64_t>(after.offset)}));
  return transaction.commit();
}

Result<LogPlace> RunStore::place() const {
  Statement asked = TRY(database_.prepare("SELECT inode, offset FROM place"));
  Rows rows(asked, {});
  const bool found = TRY(rows.next());
  if (!found) return LogPlace();
  return LogPlace{static_cast<std::uint64_t>(rows.integer(0)), static_cast<std::uint64_t>(rows.integer(1))};
}

Result<void> RunStore::forget(const RunLimits& limits, std::int64_t now_ms) {
  Transaction transaction = TRY(Transaction::begin(database_));
  // As many as there may be, and what is older than they are.
  Statement beyond =
      TRY(database_.prepare("DELETE FROM runs WHERE number IN (SELECT number FROM runs ORDER BY created_ms "
                            "DESC, number DESC LIMIT -1 OFFSET ?)"));
  std::int64_t removed = TRY(database_.change(beyond, {static_cast<std::int64_t>(limits.runs)}));
  if (limits.days) {
    Statement old = TRY(database_.prepare("DELETE FROM runs WHERE created_ms < ?"));
    removed += TRY(database_.change(old, {now_ms - *limits.days * kDayMs}));
  }
  if (removed > 0) TRY(database_.execute("DELETE FROM lines WHERE run NOT IN (SELECT number FROM runs)"));
  return transaction.commit();
}

Result<std::vector<RunEntry>> RunStore::find(const std::string& beginning) {
  Rows rows(find_, {beginning});
  std::vector<RunEntry> found;
  while (TRY(rows.next())) {
    found.push_back(read_entry(rows));
    found.back().json = rows.text(kLineColumn);
    if (found.back().id == beginning) break;
  }
  return found;
}

Result<RunList> RunStore::list(const RunSearch& search) const {
  Query query = make_query(search);
  if (search.behind) {
    query.add("(r.created_ms, r.number) < (?, ?)", search.behind->created_ms);
    query.values.emplace_back(search.behind->number);
  }
  query.values.emplace_back(static_cast<std::int64_t>(search.limit) + 1);
  Statement asked = TRY(database_.prepare(
      std::string("SELECT ") + kColumns + ", lines.json FROM runs r JOIN lines ON lines.run = r.number" +
      query.where + " ORDER BY r.created_ms DESC, r.number DESC LIMIT ?"));
  Rows rows(asked, std::move(query.values));
  RunList list;
  RunPlace last;
  while (TRY(rows.next())) {
    if (list.runs.size() == search.limit) {
      list.next = last;
      break;
    }
    list.runs.push_back(read_entry(rows));
    list.runs.back().json = rows.text(kLineColumn);
    last = {list.runs.back().created_ms, rows.integer(0)};
  }
  return list;
}

Result<void> RunStore::for_each(const RunSearch& search,
                                const std::function<void(const RunEntry&)>& each) const {
  Query query = make_query(search);
  Statement asked = TRY(database_.prepare(std::string("SELECT ") + kColumns + " FROM runs r" + query.where));
  Rows rows(asked, std::move(query.values));
  while (TRY(rows.next())) each(read_entry(rows));
  return {};
}

}  // namespace sbx
