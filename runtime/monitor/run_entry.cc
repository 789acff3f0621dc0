#include "monitor/run_entry.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/times.h"

namespace sbx {
namespace {

using Json = nlohmann::ordered_json;

const Json& at(const Json& json, const char* key) {
  static const Json kNothing;
  const auto found = json.is_object() ? json.find(key) : json.end();
  return found == json.end() ? kNothing : *found;
}

std::string text(const Json& json, const char* key) {
  const Json& value = at(json, key);
  return value.is_string() ? value.get<std::string>() : "";
}

std::optional<std::int64_t> number(const Json& json, const char* key) {
  const Json& value = at(json, key);
  if (!value.is_number_integer()) return {};
  return value.get<std::int64_t>();
}

std::optional<std::int64_t> sum(const std::optional<std::int64_t>& one,
                                const std::optional<std::int64_t>& other) {
  if (!one && !other) return {};
  return one.value_or(0) + other.value_or(0);
}

std::string caller_of(const Json& caller) {
  const std::string token = text(caller, "token");
  if (!token.empty()) return "token:" + token;
  const auto uid = number(caller, "uid");
  return uid ? "uid:" + std::to_string(*uid) : "";
}

}  // namespace

std::optional<RunEntry> run_in_line(std::string_view line) {
  Json json = Json::parse(line, nullptr, false);
  if (!json.is_object() || json.contains("event")) return {};
  RunEntry run;
  run.id = text(json, "run_id");
  const auto finished = parse_rfc3339(text(json, "finished_at"));
  run.outcome = text(json, "outcome");
  if (run.id.empty() || run.outcome.empty() || !finished) return {};
  run.finished_ms = *finished;
  run.created_ms = parse_rfc3339(text(json, "created_at")).value_or(*finished);
  if (const auto started = parse_rfc3339(text(json, "started_at"))) run.waited_ms = *started - run.created_ms;
  run.task = text(json, "task_id");
  run.project = text(json, "project_id");
  run.sandbox = text(json, "sandbox_id");
  run.image = text(at(json, "image"), "name");
  run.language = text(json, "language");
  run.caller = caller_of(at(json, "caller"));
  run.status = text(json, "status");
  run.failure = text(at(json, "failure"), "class");
  const Json& usage = at(json, "usage");
  run.wall_ms = number(usage, "wall_ms");
  run.cpu_ms = sum(number(usage, "user_ms"), number(usage, "system_ms"));
  run.memory_bytes = number(usage, "memory_peak_bytes");
  run.pids = number(usage, "pids_peak");
  for (const Json& hit : at(json, "limits_hit")) run.limits_hit.push_back(text(hit, "limit"));
  for (const Json& denied : at(json, "denied"))
    run.denied += static_cast<std::uint64_t>(std::max<std::int64_t>(0, number(denied, "count").value_or(0)));
  run.output_bytes = sum(number(at(json, "stdout"), "bytes"), number(at(json, "stderr"), "bytes"));
  run.signal = text(json, "signal");
  const Json& place = at(at(json, "failure"), "place");
  if (const std::string file = text(place, "file"); !file.empty())
    run.place = file + ":" + std::to_string(number(place, "line").value_or(0));
  json.erase("seq");
  json.erase("prev");
  run.json = json.dump(-1, ' ', true, Json::error_handler_t::replace);
  return run;
}

}  // namespace sbx
