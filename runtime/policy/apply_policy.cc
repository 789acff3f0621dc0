#include "policy/apply_policy.h"

#include <algorithm>
#include <optional>

namespace sbx {
namespace {

Result<std::optional<std::uint64_t>> grant(const LimitField& field, const RunRequest& request,
                                           const Policy& policy, const LimitSet& needed) {
  const std::optional<std::uint64_t> asked = request.limits.*field.member;
  const std::optional<std::uint64_t> ceiling = policy.ceilings.*field.member;
  const std::string flag = "--" + std::string(field.key);

  // A person at a prompt is not cut off; what they ask for themselves can then only be less.
  if (request.tty && !policy.wall_time_with_tty && field.member == &LimitSet::wall_ms) return asked;

  if (asked && ceiling && *asked > *ceiling) {
    return fail(flag + " " + limit_with_unit(field, *asked) + ": above the ceiling of policy '" +
                policy.name + "' (" + limit_with_unit(field, *ceiling) +
                "); ask for less or use another policy");
  }
  if (asked) return asked;
  const std::optional<std::uint64_t> granted = policy.limits.*field.member;
  if (!granted && ceiling) {
    return fail("policy '" + policy.name + "' has no default for this limit, only a ceiling (" +
                limit_with_unit(field, *ceiling) + "): ask with " + flag + " " +
                format_limit(field, *ceiling) + " or less");
  }
  const std::optional<std::uint64_t> least = needed.*field.member;
  if (granted && ceiling && least && *least > *granted) return std::min(*least, *ceiling);
  return granted;
}

// What is captured is held in memory and becomes text of a JSON document, in which a byte can take six.
Result<void> check_capture(const RunRequest& request, const Policy& policy,
                           std::optional<std::uint64_t> limit) {
  if (!captures_output(request) || (limit && *limit <= kMostCapturedBytes)) return {};
  const LimitField& field = *find_limit("output-limit");
  const std::string most = format_limit(field, kMostCapturedBytes);
  if (!limit)
    return fail("policy '" + policy.name + "' has no limit of captured output: ask with --output-limit " +
                most + " or less");
  return fail("--output-limit " + format_limit(field, *limit) + ": at most " + most +
              " can be captured; without --json output is passed on");
}

}  // namespace

Result<LimitSet> grant_limits(const RunRequest& request, const Policy& policy, const LimitSet& needed) {
  LimitSet granted;
  for (const LimitField& field : kLimits) granted.*field.member = TRY(grant(field, request, policy, needed));
  TRY(check_capture(request, policy, granted.output_bytes));
  return granted;
}

}  // namespace sbx
