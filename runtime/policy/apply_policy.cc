#include "policy/apply_policy.h"

#include <algorithm>
#include <optional>

namespace sbx {
namespace {

// "--memory 1G", or "--compile-limit memory=1G".
std::string flag_with(const LimitField& field, const std::string& value, LimitFlags asked_by) {
  return asked_by == LimitFlags::own ? "--" + std::string(field.key) + " " + value
                                     : "--compile-limit " + std::string(field.key) + "=" + value;
}

Result<std::optional<std::uint64_t>> grant(const LimitField& field, const RunRequest& request,
                                           const Policy& policy, const LimitSet& needed,
                                           LimitFlags asked_by) {
  const std::optional<std::uint64_t> asked = request.limits.*field.member;
  const std::optional<std::uint64_t> ceiling = policy.ceilings.*field.member;
  // A person at a prompt is not cut off; what they ask for themselves can then only be less.
  if (request.tty && !policy.wall_time_with_tty && field.member == &LimitSet::wall_ms) return asked;

  if (asked && ceiling && *asked > *ceiling) {
    return fail(flag_with(field, limit_with_unit(field, *asked), asked_by) +
                ": above the ceiling of policy '" + policy.name + "' (" + limit_with_unit(field, *ceiling) +
                "); ask for less or use another policy");
  }
  if (asked) return asked;
  const std::optional<std::uint64_t> granted = policy.limits.*field.member;
  if (!granted && ceiling) {
    return fail("policy '" + policy.name + "' has no default for this limit, only a ceiling (" +
                limit_with_unit(field, *ceiling) + "): ask with " +
                flag_with(field, format_limit(field, *ceiling), asked_by) + " or less");
  }
  const std::optional<std::uint64_t> least = needed.*field.member;
  if (granted && ceiling && least && *least > *granted) return std::min(*least, *ceiling);
  return granted;
}

// What is captured is held in memory and becomes text of a JSON document, in which a byte can take six.
Result<void> check_capture(const RunRequest& request, const Policy& policy,
                           std::optional<std::uint64_t> limit, LimitFlags asked_by) {
  if (!captures_output(request) || (limit && *limit <= kMostCapturedBytes)) return {};
  const LimitField& field = *find_limit("output-limit");
  const std::string most = format_limit(field, kMostCapturedBytes);
  if (!limit)
    return fail("policy '" + policy.name + "' has no limit of captured output: ask with " +
                flag_with(field, most, asked_by) + " or less");
  return fail(flag_with(field, format_limit(field, *limit), asked_by) + ": at most " + most +
              " can be captured; without --json output is passed on");
}

}  // namespace

Result<LimitSet> grant_limits(const RunRequest& request, const Policy& policy, const LimitSet& needed,
                              LimitFlags asked_by) {
  LimitSet granted;
  for (const LimitField& field : kLimits)
    granted.*field.member = TRY(grant(field, request, policy, needed, asked_by));
  TRY(check_capture(request, policy, granted.output_bytes, asked_by));
  return granted;
}

}  // namespace sbx
