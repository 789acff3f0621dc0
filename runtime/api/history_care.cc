// What the history does by itself, a little at a time.
#include "api/history.h"
#include "base/times.h"

namespace sbx::api {
namespace {

constexpr std::chrono::seconds kRetry{1};
constexpr std::chrono::seconds kIdle{60};
constexpr std::int64_t kDay = 24LL * 60 * 60 * 1000;
constexpr std::int64_t kMostKeys = 1'000'000;
constexpr int kAtOnce = 16;

}  // namespace

std::chrono::milliseconds History::look_after() {
  const auto now = Clock::now();
  if (!problem_.empty() && now < retry_at_)
    return std::chrono::ceil<std::chrono::milliseconds>(retry_at_ - now);
  const auto work = [&]() -> Result<bool> {
    bool more = TRY(write_late());
    more |= TRY(forget_some());
    if (!swept_) swept_ = !output_.sweep_some([this](const std::string& id) { return wants_output(id); });
    return more || !swept_;
  };
  const Result<bool> more = work();
  if (!more) {
    if (!mend(more.error())) note_problem(more.error());
    return kRetry;
  }
  return *more ? std::chrono::milliseconds(0) : kIdle;
}

// True: some are left.
Result<bool> History::write_late() {
  if (!file_) TRY(open());
  if (!problem_.empty()) TRY(file_->try_to_write());
  if (!unfinished_told_) TRY(end_unfinished());
  for (int i = 0; i < kAtOnce && !late_.empty(); ++i) {
    const RunRecord& run = late_.begin()->second;
    const auto there = TRY(file_->find(run.about.id));
    if (!there) {
      TRY(file_->insert(run, {}));
    } else if (run.ended()) {
      (void)TRY(file_->finish(run));
    }
    late_bytes_ -= run.result.size();
    late_.erase(late_.begin());
  }
  for (int i = 0; i < kAtOnce && !late_keys_.empty(); ++i) {
    TRY(file_->insert_key(late_keys_.begin()->second));
    late_keys_.erase(late_keys_.begin());
  }
  const bool left = !late_.empty() || !late_keys_.empty();
  if (!left && !problem_.empty()) {
    problem_.clear();
    say_("history: it is written again");
  }
  return left;
}

Result<bool> History::forget_some() {
  TRY(forget_keys());
  for (int i = 0; i < kAtOnce; ++i) {
    if (!TRY(forget_one())) return false;
  }
  return true;
}

// Whole runs for their number and age; for their bytes first only what they wrote.
Result<bool> History::forget_one() {
  const HistoryTotals totals = file_->totals();
  const bool too_many = static_cast<std::uint64_t>(totals.runs) > limits_.runs;
  const bool too_large = static_cast<std::uint64_t>(totals.bytes) > limits_.bytes;
  const bool age_is_due = limits_.days && Clock::now() >= ages_at_;
  if (!too_many && !too_large && !age_is_due) return false;
  const auto oldest = TRY(file_->oldest());
  if (!oldest) return false;
  const bool too_old = age_is_due && oldest->about.created_ms < utc_ms() - *limits_.days * kDay;
  if (age_is_due && !too_old) ages_at_ = Clock::now() + kIdle;
  if (too_many || too_old) {
    TRY(file_->remove(*oldest));
    output_.forget(oldest->about.id);
    return true;
  }
  if (!too_large) return false;
  if (const auto large = TRY(file_->oldest_with_output())) {
    TRY(file_->forget_output(*large));
    output_.forget(large->about.id);
  } else {
    TRY(file_->remove(*oldest));
  }
  return true;
}

Result<void> History::forget_keys() {
  if (file_->totals().keys > kMostKeys) TRY(file_->remove_old_keys(INT64_MAX, kAtOnce));
  if (Clock::now() < keys_at_) return {};
  constexpr std::int64_t kMost = 1000;
  const std::int64_t before = file_->totals().keys;
  TRY(file_->remove_old_keys(utc_ms() - kKeyLifeMs, kMost));
  if (before - file_->totals().keys < kMost) keys_at_ = Clock::now() + kIdle;
  return {};
}

bool History::wants_output(const std::string& id) {
  if (live_.contains(id) || late_.contains(id)) return true;
  const auto run = file_->find(id);
  return !run || (*run && (!(*run)->ended() || (*run)->output_bytes));
}

}  // namespace sbx::api
