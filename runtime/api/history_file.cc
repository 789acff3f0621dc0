#include "api/history_file.h"

#include <array>
#include <cerrno>

#include "api/history_query.h"
#include "api/history_schema.h"

namespace sbx::api {
namespace {

// What is read of a page; one run is always.
constexpr std::size_t kMostPageBytes = 4U << 20U;

Result<void> upgrade(const Database& database) {
  const auto version = static_cast<std::size_t>(TRY(database.number("PRAGMA user_version")));
  if (version > kHistorySchema.size())
    return fail(Error{"history: it is of a newer sbx (version " + std::to_string(version) + ")", EUCLEAN});
  for (std::size_t step = version; step < kHistorySchema.size(); ++step) {
    Transaction transaction = TRY(Transaction::begin(database));
    TRY(database.execute(kHistorySchema.at(step)));
    TRY(database.execute("PRAGMA user_version = " + std::to_string(step + 1)));
    TRY(transaction.commit());
  }
  return {};
}

std::string select(const std::string& rest) { return "SELECT " + std::string(kRunColumns) + rest; }

std::int64_t bytes_of(const RunRecord& run) {
  return static_cast<std::int64_t>(run.output_bytes.value_or(0) + run.result.size());
}

Value finished(const RunRecord& run) { return run.ended() ? Value(run.finished_ms) : Value(); }

Value output(const RunRecord& run) {
  return run.output_bytes ? Value(static_cast<std::int64_t>(*run.output_bytes)) : Value();
}

Value number(std::size_t value) { return static_cast<std::int64_t>(value); }

}  // namespace

Result<HistoryFile> HistoryFile::open(const std::string& path) {
  HistoryFile file;
  file.database_ = TRY(Database::open(path, "history"));
  Result<void> ready = upgrade(file.database_);
  if (ready) ready = file.prepare_all();
  if (ready) ready = file.count();
  if (ready) return file;
  // It is a database, and not what ours is.
  if (ready.error().error_number == EINVAL) ready.error().error_number = EUCLEAN;
  return fail(ready.error());
}

Result<void> HistoryFile::prepare_all() {
  struct Prepared {
    Statement& statement;
    std::string sql;
  };
  const std::array all{
      Prepared{insert_run_,
               "INSERT INTO runs (id, owner, task, project, sandbox, labels, created_ms, status, outcome, "
               "finished_ms, output_bytes, result_bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
      Prepared{insert_label_, "INSERT INTO labels (run, name, value, created_ms) VALUES (?, ?, ?, ?)"},
      Prepared{insert_result_,
               "INSERT OR REPLACE INTO results (run, json) SELECT number, ? FROM runs WHERE id = ?"},
      Prepared{set_running_, "UPDATE runs SET status = 'running' WHERE id = ? AND finished_ms IS NULL"},
      Prepared{finish_,
               "UPDATE runs SET status = ?, outcome = ?, finished_ms = ?, output_bytes = ?, result_bytes = ? "
               "WHERE id = ? AND finished_ms IS NULL"},
      Prepared{find_, select(" FROM runs r LEFT JOIN results ON results.run = r.number WHERE r.id = ?")},
      Prepared{
          unfinished_,
          select(" FROM runs r LEFT JOIN results ON results.run = r.number WHERE r.finished_ms IS NULL")},
      Prepared{oldest_,
               select(" FROM runs r LEFT JOIN results ON results.run = r.number WHERE r.finished_ms IS "
                      "NOT NULL ORDER BY r.created_ms LIMIT 1")},
      Prepared{
          oldest_with_output_,
          select(" FROM runs r LEFT JOIN results ON results.run = r.number WHERE r.output_bytes IS NOT NULL "
                 "AND r.finished_ms IS NOT NULL ORDER BY r.created_ms LIMIT 1")},
      Prepared{forget_output_, "UPDATE runs SET output_bytes = NULL WHERE number = ?"},
      Prepared{remove_run_, "DELETE FROM runs WHERE number = ?"},
      Prepared{remove_labels_, "DELETE FROM labels WHERE run = ?"},
      Prepared{remove_result_, "DELETE FROM results WHERE run = ?"},
      Prepared{insert_key_,
               "INSERT OR REPLACE INTO keys (owner, key, request, id, created_ms) VALUES (?, ?, ?, ?, ?)"},
      Prepared{find_key_, "SELECT owner, key, request, id, created_ms FROM keys WHERE owner = ? AND key = ?"},
      Prepared{remove_keys_of_, "DELETE FROM keys WHERE id = ?"},
      Prepared{
          remove_old_keys_,
          "DELETE FROM keys WHERE (owner, key) IN (SELECT owner, key FROM keys WHERE created_ms < ? ORDER BY "
          "created_ms LIMIT ?)"},
  };
  for (const Prepared& one : all) one.statement = TRY(database_.prepare(one.sql));
  return {};
}

Result<void> HistoryFile::count() {
  Statement counted =
      TRY(database_.prepare("SELECT count(*), total(output_bytes) + total(result_bytes) FROM runs"));
  Rows rows(counted, {});
  if (TRY(rows.next())) {
    totals_.runs = rows.integer(0);
    totals_.bytes = rows.integer(1);
  }
  totals_.keys = TRY(database_.number("SELECT count(*) FROM keys"));
  return {};
}

Result<void> HistoryFile::try_to_write() const {
  return database_.execute("PRAGMA user_version = " + std::to_string(kHistorySchema.size()));
}

// --- runs ----------------------------------------------------------------------------------------------

Result<void> HistoryFile::insert(const RunRecord& run, const std::optional<MadeByKey>& key) {
  Transaction transaction = TRY(Transaction::begin(database_));
  (void)TRY(database_.change(
      insert_run_,
      {run.about.id, run.about.owner, text_or_null(run.about.task), text_or_null(run.about.project),
       text_or_null(run.about.sandbox),
       Json(run.about.labels).dump(-1, ' ', true, Json::error_handler_t::replace), run.about.created_ms,
       run.status, text_or_null(run.outcome), finished(run), output(run), number(run.result.size())}));
  const std::int64_t row = database_.last_row();
  for (const auto& [name, value] : run.about.labels)
    (void)TRY(database_.change(insert_label_, {row, name, value, run.about.created_ms}));
  if (run.ended()) (void)TRY(database_.change(insert_result_, {run.result, run.about.id}));
  if (key)
    (void)TRY(database_.change(insert_key_, {key->owner, key->key, key->request, key->id, key->created_ms}));
  TRY(transaction.commit());
  ++totals_.runs;
  totals_.bytes += bytes_of(run);
  if (key) ++totals_.keys;
  return {};
}

Result<void> HistoryFile::set_running(const std::string& id) {
  (void)TRY(database_.change(set_running_, {id}));
  return {};
}

Result<bool> HistoryFile::finish(const RunRecord& run) {
  Transaction transaction = TRY(Transaction::begin(database_));
  const std::int64_t changed =
      TRY(database_.change(finish_, {run.status, text_or_null(run.outcome), run.finished_ms, output(run),
                                     number(run.result.size()), run.about.id}));
  if (changed == 0) return false;
  (void)TRY(database_.change(insert_result_, {run.result, run.about.id}));
  TRY(transaction.commit());
  totals_.bytes += bytes_of(run);
  return true;
}

Result<std::optional<RunRecord>> HistoryFile::first(Statement& statement, std::vector<Value> values) const {
  Rows rows(statement, std::move(values));
  if (!TRY(rows.next())) return std::optional<RunRecord>();
  return std::optional(read_run(rows));
}

Result<std::optional<RunRecord>> HistoryFile::find(const std::string& id) { return first(find_, {id}); }

Result<std::vector<RunRecord>> HistoryFile::unfinished() {
  Rows rows(unfinished_, {});
  std::vector<RunRecord> found;
  while (TRY(rows.next())) found.push_back(read_run(rows));
  return found;
}

Result<RunPage> HistoryFile::list(const RunFilter& filter) const {
  HistoryQuery query = make_list_query(filter);
  Statement statement = TRY(database_.prepare(query.sql));
  Rows rows(statement, std::move(query.values));
  RunPage page;
  std::size_t bytes = 0;
  while (TRY(rows.next())) {
    if (page.runs.size() == filter.limit || bytes > kMostPageBytes) {
      page.next = RunPosition{page.runs.back().about.created_ms, page.runs.back().number};
      break;
    }
    page.runs.push_back(read_run(rows));
    bytes += page.runs.back().result.size();
  }
  return page;
}

// --- keys ----------------------------------------------------------------------------------------------

Result<void> HistoryFile::insert_key(const MadeByKey& key) {
  (void)TRY(database_.change(insert_key_, {key.owner, key.key, key.request, key.id, key.created_ms}));
  ++totals_.keys;
  return {};
}

Result<std::optional<MadeByKey>> HistoryFile::find_key(const std::string& owner, const std::string& key) {
  Rows rows(find_key_, {owner, key});
  if (!TRY(rows.next())) return std::optional<MadeByKey>();
  return std::optional(MadeByKey{rows.text(0), rows.text(1), rows.text(2), rows.text(3), rows.integer(4)});
}

Result<void> HistoryFile::remove_keys_of(const std::string& id) {
  totals_.keys -= TRY(database_.change(remove_keys_of_, {id}));
  return {};
}

Result<void> HistoryFile::remove_old_keys(std::int64_t before_ms, std::int64_t most) {
  totals_.keys -= TRY(database_.change(remove_old_keys_, {before_ms, most}));
  return {};
}

// --- what is forgotten ---------------------------------------------------------------------------------

Result<std::optional<RunRecord>> HistoryFile::oldest() { return first(oldest_, {}); }

Result<std::optional<RunRecord>> HistoryFile::oldest_with_output() { return first(oldest_with_output_, {}); }

Result<void> HistoryFile::forget_output(const RunRecord& run) {
  (void)TRY(database_.change(forget_output_, {run.number}));
  totals_.bytes -= static_cast<std::int64_t>(run.output_bytes.value_or(0));
  return {};
}

Result<void> HistoryFile::remove(const RunRecord& run) {
  Transaction transaction = TRY(Transaction::begin(database_));
  (void)TRY(database_.change(remove_labels_, {run.number}));
  (void)TRY(database_.change(remove_result_, {run.number}));
  const std::int64_t removed = TRY(database_.change(remove_run_, {run.number}));
  TRY(transaction.commit());
  totals_.runs -= removed;
  if (removed > 0) totals_.bytes -= bytes_of(run);
  return {};
}

}  // namespace sbx::api
