// Runs that ended, whoever asked for them, from the monitor log: sbxctl history, show and stats.
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "base/times.h"
#include "base/units.h"
#include "commands.h"
#include "moments.h"
#include "monitor/follow_log.h"
#include "monitor/run_statistics.h"

namespace sbx {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostListed = 10'000;

struct Line {
  RunSearch search;
  std::string since;
  std::string until;
  std::string run;
  std::string by;
  bool json = false;
};

// All that stays the same for these three: the store, up to the log.
Result<RunStore> open_store(const Settings& settings) {
  if (geteuid() != 0)
    return fail("only root can read the monitor log; over the socket of sbxd others see their runs");
  std::string told;
  auto store = open_followed(settings.state_dir, settings.log.path,
                             {settings.history.runs, settings.history.days}, told);
  if (!told.empty()) (void)report_failure(told);
  return store;
}

Result<void> read_moments(Line& line) {
  if (!line.since.empty()) line.search.since_ms = TRY(parse_moment("--since", line.since));
  if (!line.until.empty()) line.search.until_ms = TRY(parse_moment("--until", line.until));
  return {};
}

std::string span(const std::optional<std::int64_t>& milliseconds) {
  if (!milliseconds) return "-";
  std::array<char, 32> text{};
  const auto value = static_cast<double>(*milliseconds);
  if (value < 1'000) return std::to_string(*milliseconds) + "ms";
  (void)snprintf(text.data(), text.size(), value < 600'000 ? "%.1fs" : "%.0fs", value / 1'000);
  return text.data();
}

std::string size(const std::optional<std::int64_t>& bytes) {
  if (!bytes) return "-";
  std::array<char, 32> text{};
  (void)snprintf(text.data(), text.size(), "%.1fM", static_cast<double>(*bytes) / (1U << 20U));
  return text.data();
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  std::array<char, 32> text{};
  (void)snprintf(text.data(), text.size(), "%.1f %%",
                 whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole));
  return text.data();
}

void print(const Json& json) {
  (void)printf("%s\n", json.dump(2, ' ', true, Json::error_handler_t::replace).c_str());
}

// --- history -------------------------------------------------------------------------------------------

// What ended it, in a word: of `exited` the code.
std::string how(const RunEntry& run, const Json& json) {
  std::string text = run.outcome;
  if (run.outcome == "exited" && json.value("exit_code", Json()).is_number())
    text += " " + json["exit_code"].dump();
  if (run.outcome == "signaled" && json.value("signal", Json()).is_string())
    text += " " + json["signal"].get<std::string>();
  return text;
}

void print_run(const RunEntry& run) {
  const Json json = Json::parse(run.json, nullptr, false);
  const auto or_dash = [](const std::string& text) {
    return text.empty() ? std::string("-") : printable(text);
  };
  (void)printf("%s  %s  %-18s %8s %9s  %-14s %-14s %s%s\n", rfc3339(run.created_ms).c_str(), run.id.c_str(),
               how(run, json).c_str(), span(run.wall_ms).c_str(), size(run.memory_bytes).c_str(),
               or_dash(run.image).c_str(), or_dash(run.project).c_str(), or_dash(run.task).c_str(),
               run.failure.empty() ? "" : ("  " + printable(run.failure)).c_str());
}

int history(const Settings& settings, const Line& given) {
  Line line = given;
  if (const auto read = read_moments(line); !read) return (void)report_failure(read.error().text), kExitUsage;
  const auto store = open_store(settings);
  if (!store) return report_failure(store.error().text);
  const auto found = store->list(line.search);
  if (!found) return report_failure(found.error().text);
  if (!line.json && !found->runs.empty())
    (void)printf("%-24s  %-36s  %-18s %8s %9s  %-14s %-14s %s\n", "asked for", "run", "outcome", "wall",
                 "memory", "image", "project", "task and failure");
  for (const RunEntry& run : found->runs) {
    if (line.json) (void)printf("%s\n", run.json.c_str());
    if (!line.json) print_run(run);
  }
  if (found->next && !line.json)
    (void)fprintf(stderr, "sbxctl: there are more: --limit N, or --until %s\n",
                  rfc3339(found->runs.back().created_ms).c_str());
  return kExitOk;
}

// --- show ----------------------------------------------------------------------------------------------

int show(const Settings& settings, const Line& line) {
  auto store = open_store(settings);
  if (!store) return report_failure(store.error().text);
  const auto found = store->find(line.run);
  if (!found) return report_failure(found.error().text);
  if (found->empty()) return report_failure("there is no run '" + line.run + "' in the history");
  if (found->size() > 1) return report_failure("more than one run begins with '" + line.run + "'");
  const Json json = Json::parse(found->front().json, nullptr, false);
  return print(json), kExitOk;
}

// --- stats ---------------------------------------------------------------------------------------------

Json spread_json(const Spread& spread) {
  if (spread.count == 0) return nullptr;
  return {{"count", spread.count}, {"mean", std::round(spread.mean * 10) / 10},
          {"p50", spread.p50},     {"p90", spread.p90},
          {"p99", spread.p99},     {"max", spread.most}};
}

Json statistics_json(const RunStatistics& counted) {
  const double runs = static_cast<double>(counted.runs);
  return {{"runs", counted.runs},
          {"completed", counted.completed},
          {"success_rate", counted.runs == 0
                               ? Json(nullptr)
                               : Json(std::round(1e4 * static_cast<double>(counted.completed) / runs) / 1e4)},
          {"outcomes", counted.outcomes},
          {"failures", counted.failures},
          {"wall_ms", spread_json(counted.wall_ms)},
          {"waited_ms", spread_json(counted.waited_ms)},
          {"cpu_ms", spread_json(counted.cpu_ms)},
          {"memory_peak_bytes", spread_json(counted.memory_bytes)}};
}

std::string list_of(const std::map<std::string, std::uint64_t>& counts) {
  std::string text;
  for (const auto& [name, count] : counts)
    text += (text.empty() ? "" : ", ") + printable(name) + " " + std::to_string(count);
  return text.empty() ? "none" : text;
}

void print_spread(const char* what, const Spread& spread,
                  const std::function<std::string(std::int64_t)>& format) {
  if (spread.count == 0) return;
  (void)printf("%-9s %9s %9s %9s %9s %9s\n", what, format(std::llround(spread.mean)).c_str(),
               format(spread.p50).c_str(), format(spread.p90).c_str(), format(spread.p99).c_str(),
               format(spread.most).c_str());
}

void print_statistics(const RunStatistics& counted) {
  (void)printf(
      "runs      %llu, of which %llu completed (%s)\n", static_cast<unsigned long long>(counted.runs),
      static_cast<unsigned long long>(counted.completed), percent(counted.completed, counted.runs).c_str());
  if (counted.runs == 0) return;
  (void)printf("outcomes  %s\n", list_of(counted.outcomes).c_str());
  (void)printf("failures  %s\n", list_of(counted.failures).c_str());
  (void)printf("%-9s %9s %9s %9s %9s %9s\n", "", "mean", "p50", "p90", "p99", "max");
  const auto time = [](std::int64_t value) { return span(value); };
  print_spread("wall", counted.wall_ms, time);
  print_spread("waiting", counted.waited_ms, time);
  print_spread("cpu", counted.cpu_ms, time);
  print_spread("memory", counted.memory_bytes, [](std::int64_t value) { return size(value); });
}

const std::map<std::string, std::string RunEntry::*>& groups() {
  static const std::map<std::string, std::string RunEntry::*> kGroups{{"project", &RunEntry::project},
                                                                      {"task", &RunEntry::task},
                                                                      {"image", &RunEntry::image},
                                                                      {"language", &RunEntry::language},
                                                                      {"caller", &RunEntry::caller}};
  return kGroups;
}

void print_groups(const std::string& by, const std::vector<std::pair<std::string, RunStatistics>>& parts) {
  (void)printf("%-24s %8s %10s %9s %9s %9s %9s\n", by.c_str(), "runs", "completed", "wall p50", "wall p99",
               "cpu p50", "mem p99");
  for (const auto& [name, counted] : parts) {
    const auto known = [](const Spread& spread, std::int64_t value) {
      return spread.count == 0 ? std::optional<std::int64_t>() : value;
    };
    (void)printf("%-24s %8llu %10s %9s %9s %9s %9s\n", name.empty() ? "-" : printable(name).c_str(),
                 static_cast<unsigned long long>(counted.runs),
                 percent(counted.completed, counted.runs).c_str(),
                 span(known(counted.wall_ms, counted.wall_ms.p50)).c_str(),
                 span(known(counted.wall_ms, counted.wall_ms.p99)).c_str(),
                 span(known(counted.cpu_ms, counted.cpu_ms.p50)).c_str(),
                 size(known(counted.memory_bytes, counted.memory_bytes.p99)).c_str());
  }
}

int stats(const Settings& settings, const Line& given) {
  Line line = given;
  if (const auto read = read_moments(line); !read) return (void)report_failure(read.error().text), kExitUsage;
  const auto store = open_store(settings);
  if (!store) return report_failure(store.error().text);
  RunCounter all;
  std::map<std::string, RunCounter> groups_of;
  const auto group = groups().find(line.by);
  const auto counted = store->for_each(line.search, [&](const RunEntry& run) {
    all.add(run);
    if (group != groups().end()) groups_of[run.*group->second].add(run);
  });
  if (!counted) return report_failure(counted.error().text);
  const RunStatistics total = all.finish();
  std::vector<std::pair<std::string, RunStatistics>> parts;
  parts.reserve(groups_of.size());
  for (auto& [name, counter] : groups_of) parts.emplace_back(name, counter.finish());
  std::ranges::stable_sort(
      parts, [](const auto& one, const auto& other) { return one.second.runs > other.second.runs; });
  if (!line.json) {
    print_statistics(total);
    if (!line.by.empty()) (void)printf("\n"), print_groups(line.by, parts);
    return kExitOk;
  }
  const auto moment = [](const std::optional<std::int64_t>& ms) {
    return ms ? Json(rfc3339(*ms)) : Json(nullptr);
  };
  Json json{{"since", moment(line.search.since_ms)}, {"until", moment(line.search.until_ms)}};
  json.update(statistics_json(total));
  if (!line.by.empty()) {
    json["by"] = Json::array();
    for (const auto& [name, part] : parts) {
      Json one{{line.by, name.empty() ? Json(nullptr) : Json(name)}};
      one.update(statistics_json(part));
      json["by"].push_back(std::move(one));
    }
  }
  return print(json), kExitOk;
}

// --- the command line ----------------------------------------------------------------------------------

void add_search(CLI::App* command, Line& line) {
  command->add_option("--project", line.search.project, "Of this project");
  command->add_option("--task", line.search.task, "Of this task");
  command->add_option("--image", line.search.image, "In this image");
  command->add_option("--language", line.search.language, "Of this language");
  command->add_option("--outcome", line.search.outcome, "That ended so: exited, timed_out, …");
  command->add_option("--status", line.search.status, "completed, error or timeout");
  command->add_option("--failure", line.search.failure, "That failed so: missing_module, …");
  command->add_option("--since", line.since, "Asked for then or later: a time, or how long ago (24h, 7d)");
  command->add_option("--until", line.until, "Asked for before then");
  command->add_flag("--json", line.json, "As JSON");
}

}  // namespace

void add_history_commands(CLI::App& app, const Settings& settings, Action& action) {
  const auto line = std::make_shared<Line>();
  const auto does = [&settings, &action, line](int (*work)(const Settings&, const Line&)) {
    return [&settings, &action, line, work] {
      action = [&settings, line, work] { return work(settings, *line); };
    };
  };
  CLI::App* listed =
      app.add_subcommand("history", "Runs that ended, the newest first, whoever asked for them");
  add_search(listed, *line);
  listed->add_option("--limit", line->search.limit, "At most so many")
      ->check(CLI::Range(std::size_t{1}, kMostListed))
      ->capture_default_str();
  listed->callback(does(history));
  CLI::App* shown = app.add_subcommand("show", "The whole record of a run");
  shown->add_option("RUN", line->run, "Its id, or as much of its beginning as no other one has")->required();
  shown->callback(does(show));
  CLI::App* counted =
      app.add_subcommand("stats", "Runs, counted: how they ended, how long they took, what they used");
  add_search(counted, *line);
  counted->add_option("--by", line->by, "For each project, task, image, language or caller, too")
      ->check(CLI::IsMember({"project", "task", "image", "language", "caller"}));
  counted->callback(does(stats));
  for (CLI::App* command : {listed, shown, counted}) {
    command->fallthrough();
    command->footer(
        "From the monitor log, as root. How many runs are remembered says 'history' in the configuration.");
  }
}

}  // namespace sbx
