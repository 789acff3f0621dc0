#include "keeper/serve_run.h"

#include "keeper/check_peer.h"
#include "run/client_link.h"
#include "run/run_one.h"

namespace sbx {
namespace {

constexpr int kUsageError = 2;
constexpr int kOurFailure = 125;

Result<void> serve(const Site& site, int socket, const PeerIdentity& peer, bool from_api) {
  const ClientLink client(socket);
  Result<ReceivedRequest> received = client.receive_request();
  if (!received) return client.answer_error(kOurFailure, received.error());
  const RunRequest& request = received->request;
  if (const auto may = check_peer_may(request, peer, from_api); !may)
    return client.answer_error(kOurFailure, may.error());
  const Result<Policy> policy =
      load_policy(request.policy, site.settings.policy_dirs, site.settings.cache_dir());
  if (!policy) return client.answer_error(kUsageError, policy.error());
  if (request.action == RequestAction::keep || !request.session.empty())
    return client.answer_error(kOurFailure, Error{"request: a run was expected", 0});
  if (request.action != RequestAction::run) {
    const Result<std::string> text = describe_run(site.settings, *policy, request);
    return text ? client.answer_text(*text) : client.answer_error(kOurFailure, text.error());
  }
  const Result<void> fine;
  const RunContext context{site.settings, *policy, fine,          fine,         site.cgroups, site.starter,
                           true,          socket,  peer.caller(), "supervisor", site.cpus};
  return client.answer_finished(request, run_one(context, request, std::move(received->streams)));
}

}  // namespace

void serve_run(const Site& site, const UniqueFd& client, const PeerIdentity& peer, bool from_api) {
  (void)serve(site, client.get(), peer, from_api);  // else nobody is there to tell
}

}  // namespace sbx
