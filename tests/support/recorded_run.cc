#include "support/recorded_run.h"

#include <algorithm>
#include <cerrno>

namespace sbx::test {
namespace {

using Json = nlohmann::json;

Outcome outcome_of(const std::string& name) {
  const auto* found = std::ranges::find(kOutcomeNames, name);
  if (found == kOutcomeNames.end()) throw std::runtime_error("no outcome: " + name);
  return static_cast<Outcome>(found - kOutcomeNames.begin());
}

int signal_of(const std::string& name) {
  constexpr int kMost = 64;
  for (int number = 1; number <= kMost; ++number) {
    if (signal_name(number) == name) return number;
  }
  throw std::runtime_error("no signal: " + name);
}

std::optional<CapturedStream> stream_of(const Json& json) {
  if (json.is_null()) return std::nullopt;
  CapturedStream stream;
  stream.data = json.get<std::string>();
  stream.bytes = stream.data.size();
  return stream;
}

void read_step(const Json& json, StepResult& step) {
  step.outcome = outcome_of(json.at("outcome"));
  if (!json.at("exit_code").is_null()) step.exit_code = json.at("exit_code").get<int>();
  if (!json.at("signal").is_null()) step.signal = signal_of(json.at("signal"));
  if (!json.at("step").is_null()) step.step = json.at("step");
  step.step_error = json.at("step_error").get<int>();
  step.command = json.at("command").get<std::vector<std::string>>();
  step.cwd = json.value("cwd", "");
  for (const Json& hit : json.at("limits_hit"))
    step.limits_hit.push_back({hit.at("limit"), hit.at("value").get<std::uint64_t>(), std::nullopt});
  for (const Json& one : json.at("denied")) step.denied.push_back({one, 1, std::nullopt});
  step.standard_output = stream_of(json.at("stdout"));
  step.standard_error = stream_of(json.at("stderr"));
}

}  // namespace

RecordedRun read_recorded_run(const std::string& line) {
  const Json json = Json::parse(line);
  RecordedRun run;
  run.id = json.at("id");
  run.part = json.at("part");
  if (!json.at("want").is_null()) run.want = json.at("want");
  const Json& told = json.at("result");
  read_step(told, run.result);
  run.result.image_name = json.at("image");
  run.result.action = told.at("action").is_null() ? "" : told.at("action");
  run.result.controls = {{"network", "loopback"}};
  if (!told.at("tests").is_null()) {
    const Json& tests = told.at("tests");
    run.result.tests =
        TestCounts{tests.at("passed"), tests.at("failed"), tests.at("errors"), tests.at("skipped")};
  }
  if (!told.at("compile").is_null()) read_step(told.at("compile"), run.result.compile.emplace());
  return run;
}

std::string class_of(const RunResult& result) {
  return result.failure ? std::string(failure_class_name(result.failure->kind)) : "none";
}

}  // namespace sbx::test
