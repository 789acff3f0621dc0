// sbxctl alerts: what is out of the ordinary in the monitor log.
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "base/printable.h"
#include "base/times.h"
#include "commands.h"
#include "moments.h"
#include "monitor/find_anomalies.h"

namespace sbx {
namespace {

constexpr int kExitActive = 3;

struct Line {
  std::string since = "24h";
  bool all = false;
  bool json = false;
};

void print_alert(const Alert& alert) {
  (void)printf("%-8s  %-14s  %s\n", alert.active() ? severity_name(alert.severity) : "over",
               alert.kind.c_str(), printable(alert.scope).c_str());
  (void)printf("          %s\n", printable(alert.message).c_str());
  (void)printf("          since %s, %llu times, last %s", rfc3339(alert.since_ms).c_str(),
               static_cast<unsigned long long>(alert.times), rfc3339(alert.seen_ms).c_str());
  if (!alert.runs.empty()) (void)printf(", run %s", printable(alert.runs.back()).c_str());
  (void)printf("\n");
}

int alerts(const Settings& settings, const Line& line) {
  if (geteuid() != 0) return report_failure("only root can read the monitor log");
  const auto since = parse_moment("--since", line.since);
  if (!since) return (void)report_failure(since.error().text), kExitUsage;
  const auto found = find_anomalies(settings.log.path, *since, utc_ms());
  if (!found) return report_failure(found.error().text);
  bool active = false;
  for (const Alert& alert : found->alerts().list()) {
    active = active || alert.active();
    const std::int64_t until = alert.active() ? alert.seen_ms : alert.cleared_ms;
    if ((!alert.active() && !line.all) || until < *since) continue;
    if (line.json) (void)printf("%s\n", alert_to_json(alert).c_str());
    if (!line.json) print_alert(alert);
  }
  return active ? kExitActive : kExitOk;
}

}  // namespace

void add_alerts_command(CLI::App& app, const Settings& settings, Action& action) {
  CLI::App* command =
      app.add_subcommand("alerts", "What is out of the ordinary in the monitor log, with why");
  const auto line = std::make_shared<Line>();
  command->fallthrough();
  command->add_flag("--all", line->all, "Also what is over by now");
  command->add_option("--since", line->since, "Seen then or later: a time, or how long ago")
      ->capture_default_str();
  command->add_flag("--json", line->json, "As JSON, a line for each");
  command->footer("Exit status 3: there is one that is not over.");
  command->callback(
      [&settings, &action, line] { action = [&settings, line] { return alerts(settings, *line); }; });
}

}  // namespace sbx
