// What is asked of a run that is there.
#include <fcntl.h>

#include <algorithm>
#include <csignal>

#include "api/run_json.h"
#include "api/runs.h"
#include "api/signal_request.h"

namespace sbx::api {

// Once: SIGTERM, and 5 s; again: at once.
void Runs::cancel(const SharedCall& call) const {
  const auto run = find(call);
  if (!run) return;
  if (run->ended()) return answer_problem(*call, 409, "the run has ended");
  run->signal(SIGTERM);
  answer_json(*call, 202, run_json(*run, false));
}

void Runs::signal(const SharedCall& call) const {
  with_body(call, [this, call](const JsonObject& body) {
    constexpr std::array<std::string_view, 1> kKeys{"signal"};
    const auto known = body.only(kKeys);
    const auto number = known ? parse_signal(body) : fail(known.error());
    if (!number) return answer_problem(*call, 400, number.error().text);
    const auto run = find(call);
    if (!run) return;
    if (run->ended()) return answer_problem(*call, 409, "the run has ended");
    if (!run->begun())
      return answer_problem(*call, 409, "the run has not begun: it waits for its turn; DELETE ends that");
    run->pass_signal(*number);
    answer_json(*call, 202, run_json(*run, false));
  });
}

// One client, once: who goes hangs up.
void Runs::be_at_terminal(const SharedCall& call) const {
  const auto run = find(call);
  if (!run) return;
  if (run->has_binds() && !call->client.sees(run->about().owner, run->about().project, true))
    return answer_problem(*call, 403,
                          call->client.name() + " is shown none of the host's files, which the run has");
  const auto terminal = run->terminal();
  if (!terminal)
    return answer_problem(
        *call, 409, run->ended() ? "the run has ended" : "the run has no terminal: begin it with 'tty'");
  if (terminal->taken())
    return answer_problem(*call, 409,
                          run->ended() ? "the run has ended" : "somebody is at this terminal, or was");
  auto connection = std::make_shared<UniqueFd>(fcntl(call->exchange->peer_socket(), F_DUPFD_CLOEXEC, 3));
  if (!connection->valid()) return call->exchange->abort();
  call->exchange->accept_websocket({},
                                   [terminal, connection](Result<std::shared_ptr<http::WebSocket>> socket) {
                                     if (socket) terminal->attach(std::move(*socket), std::move(*connection));
                                   });
}

std::size_t Runs::unattended() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(runs_, [](const auto& run) { return run.second->ended(); }));
}

}  // namespace sbx::api
