#include "keeper/check_peer.h"

#include "base/names.h"
#include "base/times.h"

namespace sbx {

namespace {

Result<void> check_token_may(const RunRequest& request, const Token& token) {
  const std::string its = "the token '" + token.name + "' ";
  if (token.scope == Scope::read) return fail(its + "has the scope 'read': it can run nothing");
  if (!token.is_good_at(utc_ms())) return fail(its + "has expired");
  if (!token.is_for_policy(request.policy))
    return fail(its + "is not for the policy '" + request.policy + "'");
  if (!token.is_for_project(request.project))
    return fail(its + (request.project.empty() ? "is for its projects alone: give one"
                                               : "is not for the project '" + request.project + "'"));
  return {};
}

}  // namespace

Result<void> check_peer_may(const RunRequest& request, const PeerIdentity& peer, bool from_api) {
  if (!from_api && (!request.run_id.empty() || !request.sandbox_name.empty() || spills_output(request)))
    return fail("request: an id, a sandbox's name and kept output are the supervisor's to choose");
  for (const auto& [flag, path] :
       {std::pair<const char*, const std::string&>{"--state-dir", request.state_dir},
        {"--run-dir", request.run_dir},
        {"--log", request.log},
        {"--config", request.config}}) {
    if (!path.empty())
      return fail(std::string(flag) + ": a running supervisor has its own; with --direct it can be given");
  }
  if (peer.token) TRY(check_token_may(request, *peer.token));
  if (peer.is_root() && !from_api) return {};
  if (is_policy_file(request.policy))
    return fail("--policy '" + request.policy + "': a file is for root only; give the name of a policy");
  if (peer.token && (!request.binds.empty() || request.here))
    return fail("binds: a client with a token is nobody of this host, and none of its files are shown to it");
  if (request.build) return fail("--build is for root only");
  return {};
}

std::optional<os::FileRights> rights_for_binds(const PeerIdentity& peer, bool from_api) {
  if (peer.is_root() && !from_api) return std::nullopt;
  return os::FileRights{peer.uid, peer.gid, peer.groups};
}

}  // namespace sbx
