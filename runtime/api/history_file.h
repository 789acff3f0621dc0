// The file of the history: what is in it, and what can be asked of it. Nothing here is tried twice.
#pragma once

#include <string>

#include "api/run_record.h"
#include "os/database.h"

namespace sbx::api {

struct HistoryTotals {
  std::int64_t runs = 0;
  std::int64_t bytes = 0;  // of output that is kept, and of results
  std::int64_t keys = 0;
};

class HistoryFile {
 public:
  // Made if it is not there, and brought to this version. An error with EUCLEAN: it is broken, or of a newer
  // one.
  static Result<HistoryFile> open(const std::string& path);

  // A run that is new, and the key of its request.
  Result<void> insert(const RunRecord& run, const std::optional<MadeByKey>& key);
  Result<void> set_running(const std::string& id);
  // One that has ended. False: it is not there, or had ended already.
  Result<bool> finish(const RunRecord& run);
  Result<std::optional<RunRecord>> find(const std::string& id);
  Result<RunPage> list(const RunFilter& filter) const;
  // All that have not ended.
  Result<std::vector<RunRecord>> unfinished();

  Result<void> insert_key(const MadeByKey& key);
  Result<std::optional<MadeByKey>> find_key(const std::string& owner, const std::string& key);
  Result<void> remove_keys_of(const std::string& id);
  // The oldest first, at most so many, of those before then.
  Result<void> remove_old_keys(std::int64_t before_ms, std::int64_t most);

  // The oldest one that has ended, or of those the oldest with output.
  Result<std::optional<RunRecord>> oldest();
  Result<std::optional<RunRecord>> oldest_with_output();
  Result<void> forget_output(const RunRecord& run);
  Result<void> remove(const RunRecord& run);

  // A change of nothing: whether one can be made again.
  Result<void> try_to_write() const;

  [[nodiscard]] const HistoryTotals& totals() const { return totals_; }
  [[nodiscard]] const Database& database() const { return database_; }

 private:
  HistoryFile() = default;
  Result<void> prepare_all();
  Result<void> count();
  Result<std::optional<RunRecord>> first(Statement& statement, std::vector<Value> values) const;

  Database database_;
  HistoryTotals totals_;
  Statement insert_run_;
  Statement insert_label_;
  Statement insert_result_;
  Statement set_running_;
  Statement finish_;
  Statement find_;
  Statement unfinished_;
  Statement oldest_;
  Statement oldest_with_output_;
  Statement forget_output_;
  Statement remove_run_;
  Statement remove_labels_;
  Statement remove_result_;
  Statement insert_key_;
  Statement find_key_;
  Statement remove_keys_of_;
  Statement remove_old_keys_;
};

}  // namespace sbx::api
