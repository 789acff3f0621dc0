#include "api/sandbox_filter.h"

#include <algorithm>
#include <array>

#include "base/printable.h"
#include "base/suggest.h"

namespace sbx::api {
namespace {

constexpr std::size_t kMostLabels = 8;
constexpr std::array<std::string_view, 4> kKnown{"project_id", "task_id", "state", "label"};

}  // namespace

bool SandboxFilter::fits(const LiveSandbox& sandbox) const {
  const AskedSandbox& asked = sandbox.asked();
  const auto has = [&](const auto& wanted) {
    if (wanted.first == "sbx.managed") return wanted.second.value_or("true") == "true";
    const auto found = asked.labels.find(wanted.first);
    return found != asked.labels.end() && wanted.second.value_or(found->second) == found->second;
  };
  return project.value_or(asked.request.project) == asked.request.project &&
         task.value_or(asked.request.task_id) == asked.request.task_id &&
         (!state || *state == state_name(sandbox.state())) && std::ranges::all_of(labels, has);
}

Result<SandboxFilter> parse_sandbox_filter(const http::Request& request) {
  SandboxFilter filter;
  for (const auto& [name, value] : request.query) {
    if (name == "label") {
      const std::size_t equals = value.find('=');
      auto& label = filter.labels.emplace_back(value.substr(0, equals), std::nullopt);
      if (equals != std::string::npos) label.second = value.substr(equals + 1);
      if (filter.labels.size() > kMostLabels) return fail("label: at most " + std::to_string(kMostLabels));
      continue;
    }
    if (std::ranges::find(kKnown, name) == kKnown.end())
      return fail("'" + printable(name.substr(0, 64)) + "' is not known: " + suggest(name, kKnown));
    if (name == "state" && std::ranges::find(kSandboxStates, value) == kSandboxStates.end())
      return fail("state: " + suggest(value, kSandboxStates));
    auto& field = name == "project_id" ? filter.project : name == "task_id" ? filter.task : filter.state;
    if (field) return fail(name + ": is given twice");
    field = value;
  }
  return filter;
}

}  // namespace sbx::api
