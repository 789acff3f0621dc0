#include "keeper/serve_run.h"

#include "keeper/check_peer.h"
#include "os/socket.h"
#include "run/client_link.h"
#include "run/run_one.h"
#include "wire/keeper_protocol.h"

namespace sbx {
namespace {

constexpr int kUsageError = 2;
constexpr int kOurFailure = 125;

// The API counts it: a place that cannot be told is that of an API that is gone.
void tell_memory(int place, std::uint64_t bytes) {
  KeeperMessage message;
  message.type = KeeperMessageType::memory;
  message.value = static_cast<std::int64_t>(bytes);
  if (place >= 0) (void)os::send_struct(place, message);
}

Result<void> serve(const Site& site, int socket, const PeerIdentity& peer, bool from_api, int place) {
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
  const std::optional<os::FileRights> rights = rights_for_binds(peer, from_api);
  if (request.action != RequestAction::run) {
    const Result<std::string> text = describe_run(site.settings, *policy, request, rights);
    return text ? client.answer_text(*text) : client.answer_error(kOurFailure, text.error());
  }
  const Result<void> fine;
  const RunContext context{
      site.settings, *policy,      fine,      fine,
      site.cgroups,  site.starter, true,      socket,
      peer.caller(), "supervisor", site.cpus, [place](std::uint64_t bytes) { tell_memory(place, bytes); },
      rights};
  return client.answer_finished(request, run_one(context, request, std::move(received->streams)));
}

}  // namespace

void serve_run(const Site& site, const AskedBy& asked, bool from_api, int place) {
  (void)serve(site, asked.client.get(), asked.peer, from_api, place);  // else nobody is there to tell
}

}  // namespace sbx
