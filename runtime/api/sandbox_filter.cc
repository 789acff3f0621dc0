#include "api/sandbox_filter.h"

#include <algorithm>
#include <array>

#include "base/names.h"
#include "base/suggest.h"

namespace sbx::api {
namespace {

constexpr std::size_t kMostSandboxes = 1'000;
// The words of a list are more.
constexpr std::array<std::string_view, 6> kKnown{"project_id", "task_id", "state",
                                                 "label",      "limit",   "cursor"};
constexpr std::span<const std::string_view> kChoosing = std::span(kKnown).first<4>();

Result<void> read_one(const std::string& name, const std::string& value, SandboxFilter& filter) {
  if (name == "project_id") filter.project = value;
  if (name == "task_id") filter.task = value;
  if (name == "label") return add_wanted_label(value, filter.labels);
  if (name == "limit") filter.limit = TRY(parse_limit(value, kMostSandboxes));
  if (name == "state") {
    if (std::ranges::find(kSandboxStates, value) == kSandboxStates.end())
      return fail("state: " + suggest(value, kSandboxStates));
    filter.state = value;
  }
  if (name == "cursor") {
    if (!check_run_id(name, value)) return fail(std::string(kNoCursor));
    filter.behind = value;
  }
  return {};
}

Result<SandboxFilter> parse(const http::Request& request, std::span<const std::string_view> known) {
  TRY(check_query(request, known));
  SandboxFilter filter;
  for (const auto& [name, value] : request.query) TRY(read_one(name, value, filter));
  return filter;
}

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

Result<SandboxFilter> parse_sandbox_filter(const http::Request& request) { return parse(request, kChoosing); }

Result<SandboxFilter> parse_sandbox_list(const http::Request& request) { return parse(request, kKnown); }

}  // namespace sbx::api
