#include <nlohmann/json.hpp>

#include "report.h"

namespace sbx::bench {
namespace {

using nlohmann::ordered_json;

constexpr int kFormat = 1;  // fields are added, never changed

ordered_json ratio_json(const std::optional<Ratio>& ratio) {
  if (!ratio) return nullptr;
  return {{"p50", ratio->p50}, {"min", ratio->min}, {"round_p25", ratio->low}, {"round_p75", ratio->high}};
}

ordered_json isolation_json(const std::optional<Isolation>& isolation) {
  if (!isolation) return nullptr;
  ordered_json isolated = ordered_json::array();
  ordered_json shared = ordered_json::array();
  for (const auto& [name, apart] : isolation->checks) (apart ? isolated : shared).push_back(name);
  return {{"isolated", std::move(isolated)},
          {"not_isolated", std::move(shared)},
          {"cgroups", isolation->cgroups},
          {"limits", isolation->limits},
          {"outside_uid", isolation->outside_uid}};
}

ordered_json row_json(const Report& report, const Row& row) {
  const Summary times = summarize(row.samples);
  const RowRatios ratios = find_ratios(report, row);
  ordered_json samples = ordered_json::array();
  for (const auto sample : row.samples) samples.push_back(sample.count());
  return {{"name", row.name},
          {"title", row.title},
          {"version", row.version},
          {"command", row.command.arguments},
          {"note", row.note},
          {"n", times.n},
          {"min_ns", times.min.count()},
          {"p50_ns", times.p50.count()},
          {"p90_ns", times.p90.count()},
          {"p99_ns", times.p99.count()},
          {"to_native", ratio_json(ratios.to_native)},
          {"sbx_to_it", ratio_json(ratios.sbx_to_it)},
          {"isolation", isolation_json(row.isolation)},
          {"samples_ns", std::move(samples)}};
}

}  // namespace

std::string format_json(const Report& report) {
  ordered_json rows = ordered_json::array();
  ordered_json left_out = ordered_json::array();
  for (const Row& row : report.rows) {
    if (row.error.empty()) {
      rows.push_back(row_json(report, row));
    } else {
      left_out.push_back({{"name", row.name}, {"version", row.version}, {"error", row.error}});
    }
  }
  const ordered_json all = {{"format", kFormat},
                            {"scenario", report.scenario.name},
                            {"program", report.scenario.program},
                            {"rounds", report.rounds.counted},
                            {"warm_up", report.rounds.warm_up},
                            {"pause_ms", report.rounds.pause.count()},
                            {"host",
                             {{"cpus", report.host.cpus},
                              {"processor", report.host.processor},
                              {"kernel", report.host.kernel},
                              {"cgroups", report.host.cgroups},
                              {"load_before", report.load_before},
                              {"load_after", report.load_after}}},
                            {"rows", std::move(rows)},
                            {"left_out", std::move(left_out)}};
  // What a peer said may be no UTF-8.
  return all.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace sbx::bench
