// The history of runs, which survives us: a file, and what could not be written to it yet.
//
// A change is written at once, in the loop. Where that fails (a full disk) runs go on: what was to be written
// is kept in memory, and tried again each second; meanwhile `problem` says why. A file that is broken is
// moved aside.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "api/history_file.h"
#include "api/kept_output.h"

namespace sbx::api {

// How long the same key means the same request.
inline constexpr std::int64_t kKeyLifeMs = 24LL * 60 * 60 * 1000;

struct HistoryLimits {
  std::uint64_t runs = 100'000;
  std::uint64_t bytes = 10ULL << 30U;  // of what they wrote, and of their results
  std::optional<std::uint32_t> days = 30;
};

class History {
 public:
  using Say = std::function<void(const std::string&)>;
  // Its file is DIRECTORY/history.db. What runs that are no more had begun is told as ended.
  History(std::string directory, HistoryLimits limits, KeptOutput& output, Say say);

  void begin(const RunRecord& run, const std::optional<MadeByKey>& key = {});
  void set_running(const std::string& id);
  void end(const RunRecord& run);

  // Error: it cannot be read now.
  Result<std::optional<RunRecord>> find(const std::string& id);
  Result<RunPage> list(const RunFilter& filter);

  // Made before with this key, in the last 24 hours.
  Result<std::optional<MadeByKey>> find_key(const std::string& owner, const std::string& key);
  void put_key(const MadeByKey& key);
  // Nothing came of it.
  void forget_keys_of(const std::string& id);

  // What else is in its file. Tried again where that was broken and another one was begun.
  Result<void> with_database(const std::function<Result<void>(const Database&)>& use);

  // A short piece of what is to be done: writes what is late, forgets what is too much, removes output that
  // is nobody's. When to call it again.
  std::chrono::milliseconds look_after();

  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] std::size_t unwritten() const { return late_.size(); }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  [[nodiscard]] HistoryTotals totals() const { return file_ ? file_->totals() : HistoryTotals(); }

 private:
  using Change = std::function<Result<void>(HistoryFile&)>;
  using Clock = std::chrono::steady_clock;

  Result<void> open();
  void move_aside(const std::string& why) const;
  void remove_old_broken() const;
  Result<void> end_unfinished();
  bool write(const Change& change);
  template <class T>
  Result<T> read(const std::function<Result<T>(HistoryFile&)>& ask);
  bool mend(const Error& error);
  void note_problem(const Error& error);
  void keep_late(const RunRecord& run);
  Result<bool> write_late();
  Result<bool> forget_some();
  Result<bool> forget_one();
  Result<void> forget_keys();
  bool wants_output(const std::string& id);

  std::string directory_;
  HistoryLimits limits_;
  KeptOutput& output_;
  Say say_;
  std::optional<HistoryFile> file_;
  bool unfinished_told_ = false;
  std::set<std::string, std::less<>> live_;  // runs that have begun and not ended
  std::string problem_;
  Clock::time_point retry_at_;
  std::map<std::string, RunRecord, std::less<>> late_;  // by id, so by time
  std::size_t late_bytes_ = 0;
  std::map<std::pair<std::string, std::string>, MadeByKey> late_keys_;
  std::uint64_t lost_ = 0;
  bool swept_ = false;
  Clock::time_point keys_at_;  // when their age is looked at again
  Clock::time_point ages_at_;  // and that of runs
};

}  // namespace sbx::api
