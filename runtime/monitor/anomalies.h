// Finds in what the monitor log says what is out of the ordinary, each time with what it was concluded from.
// docs/monitor.md explains every kind, and says how often each is missed or raised in vain.
//
// Its clock is that of the records: the same log leads to the same alerts, whenever it is read.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "monitor/alert.h"
#include "monitor/run_entry.h"

namespace sbx {

// A line of the log that is no run.
struct LogEvent {
  std::string event;
  std::int64_t time_ms = 0;
  std::string subject;
  std::string message;
  std::uint64_t lines = 0;  // of log.lost
};
std::optional<LogEvent> event_in_line(std::string_view line);

class Anomalies {
 public:
  // In the order of the log.
  void observe(const RunEntry& run);
  void observe(const LogEvent& event);
  // It is so late: what was not seen for long is over.
  void pass(std::int64_t now_ms);

  [[nodiscard]] const Alerts& alerts() const { return alerts_; }

 private:
  // Of a project, a task, an image.
  struct Known {
    std::deque<bool> failed;           // the last runs, the newest behind
    std::optional<double> usual_rate;  // of failures, before the alert
    unsigned since_raised = 0;
    std::deque<std::string> crashes;  // of each of the last runs; empty: it did not crash
    std::set<std::string> repeated;   // of these, those that are an alert
    std::deque<double> denied;
    std::map<std::string, unsigned> hits_in_a_row;  // by limit
    std::deque<double> wall;                        // logarithms
    std::deque<double> memory;
  };
  struct Kept {
    Known known;
    std::list<std::string>::iterator used;
  };

  Known& known_of(const std::string& scope);
  void look_at_failures(const std::string& scope, Known& known, const RunEntry& run);
  void look_at_crashes(const std::string& scope, Known& known, const RunEntry& run);
  void look_at_limits(const std::string& scope, Known& known, const RunEntry& run);
  void look_at_denials(const std::string& scope, Known& known, const RunEntry& run);
  struct Measure {
    const char* kind;
    const char* name;  // of the value
    double least;      // that it is more than usual
  };
  void look_at_measure(const Measure& measure, const std::string& scope, std::deque<double>& values,
                       std::optional<std::int64_t> value, const RunEntry& run);

  Alerts alerts_;
  std::int64_t now_ms_ = 0;
  std::unordered_map<std::string, Kept> scopes_;
  std::list<std::string> used_;  // the last used in front
  std::deque<std::int64_t> restarts_;
};

}  // namespace sbx
