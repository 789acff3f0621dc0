#include "keeper/describe_sandbox.h"

#include <nlohmann/json.hpp>

namespace sbx {
namespace {

using Json = nlohmann::ordered_json;

Json or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json in_ms(const std::optional<std::uint64_t>& us) { return us ? Json(*us / 1000) : Json(nullptr); }

Json limits_json(const LimitSet& limits) {
  Json json = Json::object();
  for (const LimitField& field : kLimits) {
    const auto value = limits.*field.member;
    const bool cpus = field.unit == LimitUnit::milli_cpus;
    json[std::string(field.name)] =
        value && cpus ? Json(static_cast<double>(*value) / 1000.0) : or_null(value);
  }
  return json;
}

// What the whole sandbox has used so far.
Json usage_json(SandboxCgroup& cgroup) {
  const CgroupUsage usage = cgroup.usage();
  return {{"cpu_ms", in_ms(usage.cpu_us)},
          {"user_ms", in_ms(usage.user_us)},
          {"system_ms", in_ms(usage.system_us)},
          {"memory_peak_bytes", or_null(usage.memory_peak_bytes)},
          {"pids_peak", or_null(usage.pids_peak)},
          {"io_read_bytes", or_null(usage.io_read_bytes)},
          {"io_write_bytes", or_null(usage.io_write_bytes)},
          {"throttled_ms", in_ms(usage.throttled_us)}};
}

// And as it is.
Json state_json(SandboxCgroup& cgroup, const StorageReport& storage) {
  const CgroupState state = cgroup.state();
  return {{"memory_bytes", or_null(state.memory_bytes)},
          {"pids", or_null(state.pids)},
          {"workspace_bytes", or_null(storage.workspace_bytes)},
          {"workspace_inodes", or_null(storage.workspace_inodes)},
          {"cpu_pressure", or_null(state.cpu_pressure)},
          {"memory_pressure", or_null(state.memory_pressure)},
          {"io_pressure", or_null(state.io_pressure)}};
}

}  // namespace

std::string describe_sandbox(const RunResult& about, const SandboxPlan& plan, const SandboxReport& report,
                             SandboxCgroup* cgroup, const StorageReport& storage,
                             const std::vector<std::string>& sessions) {
  Json json;
  json["sandbox_id"] = or_null(about.sandbox_id);
  json["image"] = {{"name", about.image_name}, {"digest", or_null(about.image_digest)}};
  json["policy"] = {{"name", about.policy_name}, {"fingerprint", or_null(about.policy_fingerprint)}};
  json["hostname"] = plan.hostname;
  json["transaction"] = or_null(about.transaction);
  json["limits"] = limits_json(plan.limits);
  json["controls"] = Json::object();
  for (const auto& [control, how] : about.controls) json["controls"][control] = how;
  json["degradations"] = report.degradations;
  json["notices"] = report.notices;
  json["sessions"] = sessions;
  json["usage"] = cgroup != nullptr ? usage_json(*cgroup) : Json(nullptr);
  json["current"] = cgroup != nullptr ? state_json(*cgroup, storage) : Json(nullptr);
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace sbx
