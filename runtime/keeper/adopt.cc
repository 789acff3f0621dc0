#include "keeper/adopt.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "keeper/check_peer.h"
#include "os/file.h"
#include "plan/make_plan.h"
#include "policy/apply_policy.h"
#include "resource/image_store.h"
#include "wire/client_protocol.h"

namespace sbx {
namespace {

Unexpected has_changed(const std::string& what, const std::string& name) {
  return fail(Error{"the " + what + " '" + name + "' has changed since the sandbox was made", ESTALE});
}

}  // namespace

Result<AskedSandbox> read_asked(std::vector<UniqueFd> descriptors, std::int64_t token) {
  if (descriptors.empty()) return fail("request: missing");
  AskedSandbox asked;
  const std::string bytes = TRY(os::read_sealed_memfd(descriptors[0].get(), "request", kMaxRequestBytes));
  asked.request = TRY(decode_run_request(bytes));
  // One that is gone when this returns: else its owner's end would not be seen.
  if (descriptors.size() > 1) asked.peer = TRY(identify_peer(descriptors[1].get(), token));
  TRY(check_peer_may(asked.request, asked.peer.value_or(nobody()), true));
  const bool has_binds = !asked.request.binds.empty() || asked.request.here;
  if (!asked.peer && (has_binds || !asked.request.project.empty()))
    return fail("request: a project and binds are somebody's");
  return asked;
}

Result<void> check_same_policy(const Settings& settings, const Policy& made_with) {
  const Policy now = TRY(load_policy(made_with.name, settings.policy_dirs, settings.cache_dir()));
  if (now.fingerprint == made_with.fingerprint) return {};
  return has_changed("policy", made_with.name);
}

Result<void> check_same_image(const Settings& settings, const std::string& name, const std::string& digest) {
  if (name == "host" || TRY(find_image(settings.state_dir, name)).digest == digest) return {};
  return has_changed("image", name);
}

Result<SandboxPlan> plan_of_adopted(const Adoption& adoption) {
  const auto& [made_for, asked, policy, runner, facts, made] = adoption;
  const bool same_place = asked.image == made_for.image && asked.policy == made_for.policy;
  if (asked.action != RequestAction::keep || !same_place || !asked.project.empty() || !asked.binds.empty())
    return fail("the sandbox that is there was made for another request");
  const LimitSet granted = TRY(grant_limits(asked, policy, runner ? needed_limits(*runner) : LimitSet{}));
  SandboxPlan plan = TRY(make_plan(asked, granted, policy, facts, made.sandbox_id));
  SandboxPlan same = plan;
  same.hostname = made.hostname;
  same.exec.environment = made.exec.environment;
  if (same == made) return plan;
  return fail("the sandbox that is there has other limits or mounts");
}

Result<void> set_hostname(int pidfd, const std::string& name) {
  const UniqueFd own = TRY(os::open_at(AT_FDCWD, "/proc/self/ns/uts", O_RDONLY));
  if (setns(pidfd, CLONE_NEWUTS) != 0) return fail(system_error("setns", "the sandbox's hostname", errno));
  const int failed = sethostname(name.c_str(), name.size()) != 0 ? errno : 0;
  if (setns(own.get(), CLONE_NEWUTS) != 0) std::abort();  // nothing may be done under a sandbox's name
  if (failed != 0) return fail(system_error("sethostname", name, failed));
  return {};
}

}  // namespace sbx
