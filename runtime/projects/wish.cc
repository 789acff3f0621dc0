#include "projects/wish.h"

#include "policy/apply_policy.h"
#include "run/gather_facts.h"

namespace sbx {

Result<ProjectWish> wish_of(const Settings& settings, const ProjectQuestion& question) {
  const Result<Policy> policy = load_policy(question.policy, settings.policy_dirs);
  if (!policy) return fail(policy.error().text);  // not the project is what is missing
  RunRequest request;
  request.project = question.project;
  request.policy = question.policy;
  request.limits.disk_bytes = question.bytes;
  request.limits.inodes = question.inodes;
  const LimitSet granted = TRY(grant_limits(request, *policy));
  return project_wish(request, *policy, granted);
}

}  // namespace sbx
