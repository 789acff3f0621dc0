#include <algorithm>
#include <array>
#include <cstdio>

#include "report.h"

namespace sbx::bench {
namespace {

using Line = std::vector<std::string>;

// Columns as wide as their widest word: the first `left` to the left, the others to the right.
std::string format_table(const std::vector<Line>& lines, std::size_t left) {
  std::vector<std::size_t> widths;
  for (const Line& line : lines) {
    widths.resize(std::max(widths.size(), line.size()));
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string text;
  for (const Line& line : lines) {
    std::string row;
    for (std::size_t i = 0; i < line.size(); ++i) {
      const std::string space(widths[i] - line[i].size(), ' ');
      row += std::string(i == 0 ? "" : "  ") + (i < left ? line[i] + space : space + line[i]);
    }
    row.resize(row.find_last_not_of(' ') + 1);
    text += row + "\n";
  }
  return text;
}

std::string microseconds(std::chrono::nanoseconds time) {
  return std::to_string((time.count() + 500) / 1000);
}

std::string fixed(double value) {
  std::array<char, 32> text{};
  (void)std::snprintf(text.data(), text.size(), "%.2f", value);
  return text.data();
}

std::string join(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text.empty() ? "-" : text;
}

void add_ratio(Line& line, const std::optional<Ratio>& ratio, bool spread) {
  line.push_back(ratio ? fixed(ratio->p50) : "-");
  if (spread) line.push_back(ratio ? fixed(ratio->low) + "-" + fixed(ratio->high) : "-");
  line.push_back(ratio ? fixed(ratio->min) : "-");
}

std::string format_times(const Report& report) {
  std::vector<Line> lines{{"program", "n", "min", "p50", "p90", "p99", "p50/native", "min/native",
                           "sbx/it p50", "(in a round)", "sbx/it min"}};
  for (const Row& row : report.rows) {
    if (!row.error.empty()) continue;
    const Summary times = summarize(row.samples);
    const RowRatios ratios = find_ratios(report, row);
    Line line{row.title,
              std::to_string(times.n),
              microseconds(times.min),
              microseconds(times.p50),
              microseconds(times.p90),
              microseconds(times.p99)};
    add_ratio(line, ratios.to_native, false);
    add_ratio(line, ratios.sbx_to_it, true);
    lines.push_back(std::move(line));
  }
  return format_table(lines, 1);
}

// A column for each program that was looked at.
std::string format_isolation(const Report& report) {
  std::vector<Line> lines{{"kept apart"}};
  Line uids{"uid on the host"};
  for (const Row& row : report.rows) {
    if (!row.isolation) continue;
    const auto& checks = row.isolation->checks;
    lines.resize(std::max(lines.size(), checks.size() + 1));
    lines[0].push_back(row.name);
    for (std::size_t i = 0; i < checks.size(); ++i) {
      if (lines[i + 1].empty()) lines[i + 1].push_back(checks[i].first);
      lines[i + 1].emplace_back(checks[i].second ? "yes" : "no");
    }
    uids.push_back(row.isolation->outside_uid);
  }
  lines.push_back(std::move(uids));
  return format_table(lines, 1);
}

std::string format_remarks(const Report& report) {
  std::string text;
  for (const Row& row : report.rows) {
    std::vector<std::string> parts;
    if (!row.version.empty()) parts.push_back(row.version);
    if (!row.error.empty()) parts.push_back("left out: " + row.error);
    if (!row.note.empty()) parts.push_back(row.note);
    if (row.isolation && !row.isolation->cgroups.empty()) {
      parts.push_back("own cgroups in " + join(row.isolation->cgroups, " "));
    }
    if (!parts.empty()) text += row.name + ": " + join(parts, "; ") + "\n";
  }
  return text;
}

}  // namespace

std::string format_text(const Report& report) {
  const HostFacts& host = report.host;
  return "sbxbench " + report.scenario.name + ": " + report.scenario.about + "\n" +
         join(report.scenario.program, " ") + ", " + std::to_string(report.rounds.counted) +
         " rounds after " + std::to_string(report.rounds.warm_up) +
         " to warm up, each program once in every round, in changing order\n" + std::to_string(host.cpus) +
         " CPUs" + (host.processor.empty() ? "" : " (" + host.processor + ")") + ", Linux " + host.kernel +
         ", cgroups " + host.cgroups + "; load " + report.load_before + " before, " + report.load_after +
         " after\n\n" + "Microseconds from vfork until the program is reaped:\n" + format_times(report) +
         "\nSeen from outside while a program ran:\n" + format_isolation(report) + "\n" +
         format_remarks(report);
}

}  // namespace sbx::bench
