// What is counted, in the two forms in which it is told.
#include "api/metrics.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

namespace sbx::api {
namespace {

using namespace std::chrono_literals;

bool holds(const std::string& text, const std::string& line) {
  return text.find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("a histogram counts each time in every bucket that is long enough") {
  Histogram times;
  for (const auto time : {1ms, 10ms, 11ms, 700'000ms}) times.note(time);
  CHECK(times.count() == 4);
  CHECK(times.sum() == doctest::Approx(700.022));
  CHECK(times.at_most(0) == 1);  // 5 ms
  CHECK(times.at_most(1) == 2);  // 10 ms
  CHECK(times.at_most(2) == 3);
  CHECK(times.at_most(kBuckets.size() - 1) == 3);
}

TEST_CASE("no outcome can write a line or a label of its own") {
  Metrics metrics;
  metrics.note_run("exited", true, 1s);
  metrics.note_run("exited", false, 1s);
  for (const char* outcome : {"", "x\"} 1\nsbx_info 7\n#", "Exited", "a b"})
    metrics.note_run(outcome, true, 1s);
  const std::string text = metrics.prometheus({});
  CHECK(holds(text, "sbx_runs_ended_total{outcome=\"exited\"} 2"));
  CHECK(holds(text, "sbx_runs_ended_total{outcome=\"unknown\"} 4"));
  CHECK_FALSE(holds(text, "sbx_info 7"));
}

TEST_CASE("every name of the exposition has its type, once, and samples of that name alone") {
  Metrics metrics;
  metrics.note_run("exited", true, 3ms);
  metrics.begin(1'700'000'000'500, 1, 2, 3);
  metrics.note_nursery_restart();
  metrics.note_sweep(2);
  const std::string text = metrics.prometheus({{{SandboxState::busy, 2}}, 3, 4, 5, 6, 7, 8});
  std::istringstream lines(text);
  std::map<std::string, std::string> types;
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ")) continue;
    if (line.starts_with("# TYPE ")) {
      last = line.substr(7, line.find(' ', 7) - 7);
      CHECK(types.emplace(last, line.substr(8 + last.size())).second);
      continue;
    }
    CAPTURE(line);
    const std::string name = line.substr(0, line.find_first_of(" {"));
    CHECK(name.starts_with(last));
    if (name != last) CHECK(types[last] == "histogram");
  }
  CHECK(holds(text, "sbx_sandboxes{state=\"busy\"} 2"));
  CHECK(holds(text, "sbx_keepers 3"));
  CHECK(holds(text, "sbx_runs{status=\"queued\"} 5"));
  CHECK(holds(text, "sbx_runs{status=\"running\"} 6"));
  CHECK(holds(text, "sbx_kept_bytes 8"));
  CHECK(holds(text, "sbx_swept_total 5"));
  CHECK(holds(text, "sbx_nursery_restarts_total 3"));
  CHECK(holds(text, "sbx_api_restarts_total 1"));
  CHECK(holds(text, "sbx_start_time_seconds 1700000000.5"));
  CHECK(holds(text, "sbx_exec_seconds_bucket{kind=\"run\",le=\"0.005\"} 1"));
  const auto json = nlohmann::json::parse(metrics.json({{{SandboxState::busy, 2}}, 3, 4, 5, 6, 7, 8}));
  CHECK(json["sandboxes"]["busy"] == 2);
  CHECK(json["sandboxes"]["ready"] == 0);
  CHECK(json["swept"]["removed"] == 5);
  CHECK(json["run"]["mean_ms"] == doctest::Approx(3));
  CHECK(json["command"]["mean_ms"] == nullptr);
}

}  // namespace sbx::api
