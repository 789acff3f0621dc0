// What an operator is told without having read the log.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace sbx {

enum class Severity : std::uint8_t { info, warning, critical };
const char* severity_name(Severity severity);

struct Alert {
  std::string kind;   // "failure_rate"; those that there are: docs/monitor.md
  std::string scope;  // "project:demo", "task:t1", "image:python-3.11", "host"
  Severity severity = Severity::warning;
  std::int64_t since_ms = 0;                               // since 1970, UTC: when it was first seen
  std::int64_t seen_ms = 0;                                // and last
  std::int64_t cleared_ms = 0;                             // 0: it is not over
  std::uint64_t times = 0;                                 // seen
  std::string message;                                     // one sentence
  std::vector<std::pair<std::string, double>> evidence{};  // what it was concluded from, by name
  std::vector<std::string> runs{};                         // that show it, the last ones

  [[nodiscard]] bool active() const { return cleared_ms == 0; }
};

// One JSON object.
std::string alert_to_json(const Alert& alert);

// The alerts that there are: each kind of a scope is one, until it is over.
class Alerts {
 public:
  // Seen now: a new one, or once more. `found` has no times.
  void raise(Alert found, std::int64_t now_ms, const std::string& run = {});
  // It is over; nothing where there is none.
  void clear(const std::string& kind, const std::string& scope, std::int64_t now_ms);
  // All of this kind that were not seen for so long are over.
  void clear_quiet(const std::string& kind, std::int64_t quiet_ms, std::int64_t now_ms);

  [[nodiscard]] bool has(const std::string& kind, const std::string& scope) const;
  // Those that are not over, then those that are, the newest first.
  [[nodiscard]] std::vector<Alert> list() const;
  // How many ever were.
  [[nodiscard]] std::uint64_t raised() const { return raised_; }

 private:
  void put_away(Alert alert, std::int64_t now_ms);

  std::map<std::pair<std::string, std::string>, Alert> active_;
  std::vector<Alert> over_;  // the oldest first
  std::uint64_t raised_ = 0;
};

}  // namespace sbx
