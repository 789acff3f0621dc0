#include "api/history.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string_view>

#include "api/own_result.h"
#include "api/spill_reader.h"
#include "base/times.h"
#include "os/file.h"

namespace sbx::api {
namespace {

constexpr const char* kFile = "history.db";
constexpr const char* kBroken = "history.db.broken-";
constexpr std::size_t kMostBroken = 2;

constexpr std::chrono::seconds kRetry{1};
// What memory keeps of what could not be written.
constexpr std::size_t kMostLate = 10'000;
constexpr std::size_t kMostLateBytes = 32U << 20U;

RunRecord interrupted(RunRecord run, const KeptOutput& output) {
  std::optional<std::array<std::uint64_t, 2>> written;
  if (auto file = output.open(run.about.id)) written = count_spilled(std::move(*file));
  run.result = interrupted_result(run.about, written);
  run.status = "error";
  run.outcome = "cancelled";
  run.finished_ms = utc_ms();
  run.output_bytes = output.size(run.about.id);
  return run;
}

}  // namespace

History::History(std::string directory, HistoryLimits limits, KeptOutput& output, Say say)
    : directory_(std::move(directory)), limits_(limits), output_(output), say_(std::move(say)) {
  if (const auto opened = open(); !opened) note_problem(opened.error());
}

// --- its file ------------------------------------------------------------------------------------------

Result<void> History::open() {
  const std::string path = directory_ + "/" + kFile;
  Result<HistoryFile> file = HistoryFile::open(path);
  if (!file && file.error().error_number == EUCLEAN) {
    move_aside(file.error().text);
    file = HistoryFile::open(path);
  }
  file_ = TRY(std::move(file));
  return end_unfinished();
}

void History::move_aside(const std::string& why) const {
  std::string time = rfc3339(utc_ms());
  std::erase_if(time, [](char c) { return c == '-' || c == ':' || c == '.'; });
  const std::string to = kBroken + time;
  for (const char* end : {"", "-wal", "-shm"})
    (void)std::rename((directory_ + "/" + kFile + end).c_str(), (directory_ + "/" + to + end).c_str());
  say_(why + ": it is begun anew, and the old one is " + to);
  remove_old_broken();
}

void History::remove_old_broken() const {
  const auto names = os::list_directory(AT_FDCWD, directory_);
  if (!names) return;
  std::set<std::string> broken;  // by time
  for (const std::string& name : *names) {
    if (name.starts_with(kBroken))
      broken.insert(name.substr(0, name.find('-', std::string_view(kBroken).size())));
  }
  while (broken.size() > kMostBroken) {
    for (const char* end : {"", "-wal", "-shm"})
      (void)std::remove((directory_ + "/" + *broken.begin() + end).c_str());
    broken.erase(broken.begin());
  }
}

// What had not ended and is not of ours was interrupted.
Result<void> History::end_unfinished() {
  for (RunRecord& run : TRY(file_->unfinished())) {
    if (!live_.contains(run.about.id)) (void)TRY(file_->finish(interrupted(std::move(run), output_)));
  }
  unfinished_told_ = true;
  return {};
}

// True: there is a sound one again.
bool History::mend(const Error& error) {
  if (error.error_number != EUCLEAN) return false;
  file_.reset();
  move_aside(error.text);
  const auto opened = open();
  if (!opened) note_problem(opened.error());
  return opened.has_value();
}

void History::note_problem(const Error& error) {
  if (problem_.empty()) say_(error.text + "; runs go on, and are written to it when it can be");
  problem_ = error.text;
  retry_at_ = Clock::now() + kRetry;
}

bool History::write(const Change& change) {
  if (!problem_.empty()) return false;  // look_after tries again
  Result<void> done = change(*file_);
  if (!done && mend(done.error())) done = change(*file_);
  if (!done) note_problem(done.error());
  return done.has_value();
}

template <class T>
Result<T> History::read(const std::function<Result<T>(HistoryFile&)>& ask) {
  if (!file_) return fail(problem_);
  Result<T> answer = ask(*file_);
  if (!answer && mend(answer.error())) return ask(*file_);
  return answer;
}

Result<void> History::with_database(const std::function<Result<void>(const Database&)>& use) {
  return read<void>([&](const HistoryFile& file) { return use(file.database()); });
}

// --- runs ----------------------------------------------------------------------------------------------

void History::begin(const RunRecord& run, const std::optional<MadeByKey>& key) {
  live_.insert(run.about.id);
  if (write([&](HistoryFile& file) { return file.insert(run, key); })) return;
  if (key) late_keys_[{key->owner, key->key}] = *key;
  keep_late(run);
}

void History::set_running(const std::string& id) {
  if (const auto late = late_.find(id); late != late_.end()) {
    late->second.status = "running";
  } else {
    (void)write([&](HistoryFile& file) { return file.set_running(id); });  // else its end says more
  }
}

void History::end(const RunRecord& run) {
  live_.erase(run.about.id);
  const auto finish = [&](HistoryFile& file) -> Result<void> {
    if (TRY(file.finish(run)) || TRY(file.find(run.about.id))) return {};
    return file.insert(run, {});
  };
  if (late_.contains(run.about.id) || !write(finish)) keep_late(run);
}

void History::keep_late(const RunRecord& run) {
  RunRecord& kept = late_[run.about.id];
  late_bytes_ += run.result.size() - kept.result.size();
  kept = run;
  while (late_.size() > kMostLate || late_bytes_ > kMostLateBytes) {
    const auto oldest = std::ranges::find_if(late_, [](const auto& one) { return one.second.ended(); });
    if (oldest == late_.end()) return;
    late_bytes_ -= oldest->second.result.size();
    output_.forget(oldest->first);
    late_.erase(oldest);
    ++lost_;
  }
}

Result<std::optional<RunRecord>> History::find(const std::string& id) {
  using Found = std::optional<RunRecord>;
  if (const auto late = late_.find(id); late != late_.end()) return Found(late->second);
  Found found = TRY(read<Found>([&](HistoryFile& file) { return file.find(id); }));
  if (found && !found->ended() && !live_.contains(id)) found = interrupted(std::move(*found), output_);
  return found;
}

Result<RunPage> History::list(const RunFilter& filter) {
  return read<RunPage>([&](const HistoryFile& file) { return file.list(filter); });
}

// --- keys ----------------------------------------------------------------------------------------------

Result<std::optional<MadeByKey>> History::find_key(const std::string& owner, const std::string& key) {
  using Found = std::optional<MadeByKey>;
  if (const auto late = late_keys_.find({owner, key}); late != late_keys_.end()) return Found(late->second);
  Found found = TRY(read<Found>([&](HistoryFile& file) { return file.find_key(owner, key); }));
  if (found && found->created_ms < utc_ms() - kKeyLifeMs) found.reset();
  return found;
}

void History::put_key(const MadeByKey& key) {
  if (!write([&](HistoryFile& file) { return file.insert_key(key); })) late_keys_[{key.owner, key.key}] = key;
}

void History::forget_keys_of(const std::string& id) {
  std::erase_if(late_keys_, [&](const auto& late) { return late.second.id == id; });
  (void)write(
      [&](HistoryFile& file) { return file.remove_keys_of(id); });  // else it is found and says what became
}

}  // namespace sbx::api
