#include "monitor/anomalies.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/times.h"
#include "monitor/robust.h"

namespace sbx {
namespace {

constexpr std::int64_t kHourMs = 60LL * 60 * 1000;
// Of projects and tasks that are remembered: the least recently used is forgotten.
constexpr std::size_t kMostScopes = 2'000;

template <class T>
void put(std::deque<T>& last, T value, std::size_t most) {
  last.push_back(std::move(value));
  if (last.size() > most) last.pop_front();
}

std::vector<double> all_of(const std::deque<double>& values) { return {values.begin(), values.end()}; }

std::string text_of(double value) {
  std::array<char, 32> text{};
  (void)std::snprintf(text.data(), text.size(), value < 10 ? "%.2g" : "%.0f", value);
  return text.data();
}

std::string percent(double rate) { return text_of(100 * rate) + " %"; }

// "project:demo": whose runs are held against each other.
std::string scope_of(const RunEntry& run) {
  if (!run.project.empty()) return "project:" + run.project;
  if (!run.task.empty()) return "task:" + run.task;
  return "image:" + (run.image.empty() ? "-" : run.image);
}

// What a run is compared with when it is long or large: only what is done again and again is alike.
std::string history_of(const RunEntry& run) {
  if (!run.task.empty()) return "task:" + run.task;
  return scope_of(run) + (run.language.empty() ? "" : "/" + run.language);
}

// Of the program's making, or of ours: not that a caller had enough, or asked for too much.
bool counts(const RunEntry& run) { return run.outcome != "cancelled" && run.outcome != "rejected"; }

std::string crash_of(const RunEntry& run) {
  if (run.outcome != "signaled" && run.outcome != "violation") return "";
  return run.signal + (run.place.empty() ? "" : " at " + run.place);
}

bool hits(const RunEntry& run, const std::string& limit) {
  return std::ranges::find(run.limits_hit, limit) != run.limits_hit.end();
}

}  // namespace

std::optional<LogEvent> event_in_line(std::string_view line) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object()) return {};
  const auto text = [&](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  LogEvent event;
  event.event = text("event");
  const auto time = parse_rfc3339(text("time"));
  if (event.event.empty() || !time) return {};
  event.time_ms = *time;
  event.subject = text("subject");
  event.message = text("message");
  if (event.event == "log.lost") {
    event.message = text("why");
    const auto lines = json.find("lines");
    if (lines != json.end() && lines->is_number_unsigned()) event.lines = lines->get<std::uint64_t>();
  }
  return event;
}

void Anomalies::observe(const RunEntry& run) {
  pass(run.finished_ms);
  const std::string scope = scope_of(run);
  if (counts(run)) {
    look_at_failures("all", known_of("all"), run);
    look_at_failures(scope, known_of(scope), run);
    look_at_crashes(scope, known_of(scope), run);
  }
  look_at_limits(scope, known_of(scope), run);
  look_at_denials(scope, known_of(scope), run);
  // How long it took says something only where it ended by itself.
  if (run.outcome != "exited") return;
  const std::string history = history_of(run);
  static constexpr Measure kDuration{"duration", "wall_ms", 200};
  static constexpr Measure kMemory{"memory", "memory_peak_bytes", 32U << 20U};
  look_at_measure(kDuration, history, known_of(history).wall, run.wall_ms, run);
  look_at_measure(kMemory, history, known_of(history).memory, run.memory_bytes, run);
}

void Anomalies::observe(const LogEvent& event) {
  pass(event.time_ms);
  if (event.event == "log.lost") {
    alerts_.raise({.kind = "log_lost",
                   .scope = "host",
                   .severity = Severity::critical,
                   .message = std::to_string(event.lines) +
                              " lines of the monitor log could not be written (" + event.message + ")",
                   .evidence = {{"lines", static_cast<double>(event.lines)}}},
                  now_ms_);
  }
  if (event.event == "cleanup" && !event.message.empty()) {
    alerts_.raise({.kind = "orphans",
                   .scope = "host",
                   .message = "something was left by what was killed, and removed: " + event.message},
                  now_ms_);
  }
  if (event.event == "sbxd.restart") {
    constexpr std::int64_t kWithinMs = 600'000;
    constexpr std::size_t kMany = 3;
    put(restarts_, event.time_ms, kMany);
    const bool many = restarts_.size() == kMany && restarts_.back() - restarts_.front() <= kWithinMs;
    alerts_.raise(
        {.kind = "restarts",
         .scope = "host",
         .severity = many ? Severity::critical : Severity::warning,
         .message = event.subject + " " + event.message + " and was started again",
         .evidence = {{"within_10_minutes", static_cast<double>(std::ranges::count_if(restarts_,
                                                                                      [&](std::int64_t then) {
                                                                                        return event.time_ms -
                                                                                                   then <=
                                                                                               kWithinMs;
                                                                                      }))}}},
        now_ms_);
  }
}

void Anomalies::pass(std::int64_t now_ms) {
  now_ms_ = std::max(now_ms_, now_ms);
  for (const char* kind : {"log_lost", "orphans", "restarts", "repeated_crash", "output_flood",
                           "denied_calls", "fork_storm", "limit_in_a_row", "duration", "memory"})
    alerts_.clear_quiet(kind, kHourMs, now_ms_);
  alerts_.clear_quiet("failure_rate", 24 * kHourMs, now_ms_);
}

Anomalies::Known& Anomalies::known_of(const std::string& scope) {
  const auto found = scopes_.find(scope);
  if (found != scopes_.end()) {
    used_.splice(used_.begin(), used_, found->second.used);
    return found->second.known;
  }
  if (scopes_.size() >= kMostScopes) {
    scopes_.erase(used_.back());
    used_.pop_back();
  }
  used_.push_front(scope);
  return scopes_.emplace(scope, Kept{{}, used_.begin()}).first->second.known;
}

namespace {

// So many of the last runs, and how likely that many failures were if nothing had changed.
struct Window {
  unsigned runs = 0;
  unsigned failures = 0;
  double usual = 0;  // rate before
  double likely = 1;

  [[nodiscard]] double rate() const { return static_cast<double>(failures) / runs; }
};

Window window_of(const std::deque<bool>& failed, unsigned runs, const std::optional<double>& usual) {
  const auto begin = failed.end() - runs;
  Window window{runs, static_cast<unsigned>(std::count(begin, failed.end(), true))};
  // As if one more had failed and one more had not: never is not known of anything (Laplace).
  window.usual = usual.value_or((static_cast<double>(std::count(failed.begin(), begin, true)) + 1) /
                                (static_cast<double>(begin - failed.begin()) + 2));
  window.likely = binomial_tail(window.failures, runs, window.usual);
  return window;
}

}  // namespace

// The short window finds a large jump soon, the long one a smaller one, each against up to 200 runs before
// it.
void Anomalies::look_at_failures(const std::string& scope, Known& known, const RunEntry& run) {
  constexpr unsigned kShort = 20;
  constexpr unsigned kLong = 50;
  constexpr std::size_t kMost = 250;
  constexpr std::size_t kLeast = 60;  // 40 before the short one
  constexpr std::size_t kLeastForLong = 90;
  constexpr double kUnlikely = 1e-6;
  constexpr double kLikely = 0.01;
  constexpr double kJump = 0.25;
  put(known.failed, run.status != "completed", kMost);
  if (known.failed.size() < kLeast) return;
  const Window soon = window_of(known.failed, kShort, known.usual_rate);
  Window found = soon;
  if (known.failed.size() >= kLeastForLong) {
    const Window later = window_of(known.failed, kLong, known.usual_rate);
    if (later.likely < found.likely) found = later;
  }
  const bool jumped = found.likely < kUnlikely && found.rate() - found.usual >= kJump;
  if (!known.usual_rate && !jumped) return;
  if (!known.usual_rate) {
    known.usual_rate = found.usual;
    known.since_raised = 0;
  }
  ++known.since_raised;
  const bool usual_again = soon.likely > kLikely;
  if (usual_again || known.since_raised > kMost) {
    // What was out of the ordinary is no part of what is usual, unless it stayed.
    if (usual_again) {
      const std::size_t since =
          std::min<std::size_t>(known.since_raised + kShort, known.failed.size()) - kShort;
      known.failed.erase(known.failed.end() - static_cast<std::ptrdiff_t>(since + kShort),
                         known.failed.end() - kShort);
    }
    known.usual_rate.reset();
    return alerts_.clear("failure_rate", scope, now_ms_);
  }
  if (!jumped) return;
  alerts_.raise({.kind = "failure_rate",
                 .scope = scope,
                 .severity = found.rate() >= 0.9 ? Severity::critical : Severity::warning,
                 .message = std::to_string(found.failures) + " of the last " + std::to_string(found.runs) +
                            " runs failed; usual are " + percent(found.usual),
                 .evidence = {{"rate", found.rate()},
                              {"usual_rate", found.usual},
                              {"runs", found.runs},
                              {"probability", found.likely}}},
                now_ms_, run.id);
}

void Anomalies::look_at_crashes(const std::string& scope, Known& known, const RunEntry& run) {
  constexpr std::size_t kLast = 10;
  constexpr std::ptrdiff_t kSame = 3;
  const std::string crash = crash_of(run);
  put(known.crashes, crash, kLast);
  const auto same = std::ranges::count(known.crashes, crash);
  if (!crash.empty() && same >= kSame) {
    known.repeated.insert(crash);
    alerts_.raise({.kind = "repeated_crash",
                   .scope = scope + " " + crash,
                   .message = std::to_string(same) + " of the last " + std::to_string(known.crashes.size()) +
                              " runs ended by the same " + crash,
                   .evidence = {{"same", static_cast<double>(same)},
                                {"runs", static_cast<double>(known.crashes.size())}}},
                  now_ms_, run.id);
  }
  std::erase_if(known.repeated, [&](const std::string& was) {
    if (std::ranges::find(known.crashes, was) != known.crashes.end()) return false;
    alerts_.clear("repeated_crash", scope + " " + was, now_ms_);
    return true;
  });
}

void Anomalies::look_at_limits(const std::string& scope, Known& known, const RunEntry& run) {
  constexpr unsigned kInARow = 5;
  if (run.outcome == "output_limit") {
    alerts_.raise({.kind = "output_flood",
                   .scope = scope,
                   .message = "a run was ended because of how much it wrote",
                   .evidence = {{"output_bytes", static_cast<double>(run.output_bytes.value_or(0))}}},
                  now_ms_, run.id);
  }
  if (hits(run, "pids")) {
    alerts_.raise({.kind = "fork_storm",
                   .scope = scope,
                   .message = "a run wanted more processes than it may have",
                   .evidence = {{"pids_peak", static_cast<double>(run.pids.value_or(0))}}},
                  now_ms_, run.id);
  }
  std::erase_if(known.hits_in_a_row, [&](const auto& limit) {
    if (hits(run, limit.first)) return false;
    alerts_.clear("limit_in_a_row", scope + " " + limit.first, now_ms_);
    return true;
  });
  for (const std::string& limit : run.limits_hit) {
    const unsigned times = ++known.hits_in_a_row[limit];
    if (times < kInARow || limit == "pids") continue;
    alerts_.raise({.kind = "limit_in_a_row",
                   .scope = scope + " " + limit,
                   .message = std::to_string(times) + " runs in a row felt the limit " + limit,
                   .evidence = {{"runs", times}}},
                  now_ms_, run.id);
  }
}

void Anomalies::look_at_denials(const std::string& scope, Known& known, const RunEntry& run) {
  constexpr std::size_t kLast = 50;
  constexpr double kMany = 100;
  constexpr double kTimes = 10;
  const auto denied = static_cast<double>(run.denied);
  const double usual = median_of(all_of(known.denied));
  if (denied >= kMany && denied >= kTimes * (usual + 1)) {
    alerts_.raise({.kind = "denied_calls",
                   .scope = scope,
                   .message = "a run made " + text_of(denied) + " system calls that are refused; usual are " +
                              text_of(usual),
                   .evidence = {{"denied", denied}, {"usual", usual}}},
                  now_ms_, run.id);
  }
  put(known.denied, denied, kLast);
}

// On a logarithmic scale: twice as long is as far from usual as half as long, whatever is usual.
void Anomalies::look_at_measure(const Measure& measure, const std::string& scope, std::deque<double>& values,
                                std::optional<std::int64_t> value, const RunEntry& run) {
  constexpr std::size_t kLast = 50;
  constexpr std::size_t kLeast = 15;
  constexpr double kFar = 6;
  constexpr double kNear = 3;
  constexpr double kLeastDeviation = 0.1;  // what runs are always apart
  if (!value || *value < 0) return;
  const double now = std::log1p(static_cast<double>(*value));
  const Usual usual = usual_of(all_of(values));
  const std::size_t count = values.size();
  put(values, now, kLast);
  if (count < kLeast) return;
  const double distance = (now - usual.median) / std::max(usual.deviation, kLeastDeviation);
  const double middle = std::expm1(usual.median);
  const auto is = static_cast<double>(*value);
  if (distance < kNear) return alerts_.clear(measure.kind, scope, now_ms_);
  if (distance < kFar || is < 2 * middle || is - middle < measure.least) return;
  alerts_.raise(
      {.kind = measure.kind,
       .scope = scope,
       .message = std::string(measure.name) + " was " + text_of(is) + "; usual are " + text_of(middle),
       .evidence = {{measure.name, is},
                    {"median", middle},
                    {"deviations", distance},
                    {"runs", static_cast<double>(count)}}},
      now_ms_, run.id);
}

}  // namespace sbx
