#include "monitor/alert.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/times.h"

namespace sbx {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostOver = 200;
constexpr std::size_t kMostActive = 1'000;
constexpr std::size_t kMostRuns = 5;

Json rounded(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) return static_cast<std::int64_t>(value);
  return std::round(value * 1e6) / 1e6;
}

}  // namespace

const char* severity_name(Severity severity) {
  switch (severity) {
  case Severity::info: return "info";
  case Severity::warning: return "warning";
  case Severity::critical: return "critical";
  }
  return "critical";
}

std::string alert_to_json(const Alert& alert) {
  Json evidence = Json::object();
  for (const auto& [name, value] : alert.evidence) evidence[name] = rounded(value);
  const Json json{{"kind", alert.kind},
                  {"scope", alert.scope},
                  {"severity", severity_name(alert.severity)},
                  {"active", alert.active()},
                  {"since", rfc3339(alert.since_ms)},
                  {"seen", rfc3339(alert.seen_ms)},
                  {"cleared", alert.active() ? Json(nullptr) : Json(rfc3339(alert.cleared_ms))},
                  {"times", alert.times},
                  {"message", alert.message},
                  {"evidence", std::move(evidence)},
                  {"runs", alert.runs}};
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

void Alerts::raise(Alert found, std::int64_t now_ms, const std::string& run) {
  const std::pair key{found.kind, found.scope};
  const auto known = active_.find(key);
  if (known == active_.end()) {
    // One who makes many names cannot fill our memory; of so many nobody reads the next one.
    if (active_.size() >= kMostActive) return;
    found.since_ms = now_ms;
    ++raised_;
  } else {
    found.since_ms = known->second.since_ms;
    found.times = known->second.times;
    found.runs = std::move(known->second.runs);
    found.severity = std::max(found.severity, known->second.severity);
  }
  found.seen_ms = now_ms;
  ++found.times;
  if (!run.empty()) {
    if (found.runs.size() == kMostRuns) found.runs.erase(found.runs.begin());
    found.runs.push_back(run);
  }
  active_.insert_or_assign(key, std::move(found));
}

void Alerts::clear(const std::string& kind, const std::string& scope, std::int64_t now_ms) {
  auto known = active_.extract({kind, scope});
  if (!known.empty()) put_away(std::move(known.mapped()), now_ms);
}

void Alerts::clear_quiet(const std::string& kind, std::int64_t quiet_ms, std::int64_t now_ms) {
  for (auto each = active_.begin(); each != active_.end();) {
    if (each->second.kind != kind || now_ms - each->second.seen_ms < quiet_ms) {
      ++each;
      continue;
    }
    put_away(std::move(each->second), each->second.seen_ms + quiet_ms);
    each = active_.erase(each);
  }
}

void Alerts::put_away(Alert alert, std::int64_t now_ms) {
  alert.cleared_ms = now_ms;
  if (over_.size() == kMostOver) over_.erase(over_.begin());
  over_.push_back(std::move(alert));
}

bool Alerts::has(const std::string& kind, const std::string& scope) const {
  return active_.contains({kind, scope});
}

std::vector<Alert> Alerts::list() const {
  std::vector<Alert> all;
  for (const auto& [key, alert] : active_) all.push_back(alert);
  std::ranges::stable_sort(all, [](const Alert& one, const Alert& other) {
    return std::pair(one.severity, one.seen_ms) > std::pair(other.severity, other.seen_ms);
  });
  all.insert(all.end(), over_.rbegin(), over_.rend());
  return all;
}

}  // namespace sbx
