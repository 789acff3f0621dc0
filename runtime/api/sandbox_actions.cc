// What is asked of a sandbox that is there.
#include "api/sandboxes.h"
#include "api/stats_stream.h"
#include "base/units.h"
#include "os/socket.h"
#include "wire/client_protocol.h"

namespace sbx::api {

void Sandboxes::destroy(const SharedCall& call) const {
  const auto sandbox = find(call, SandboxRequest::destroy);
  const auto asker = sandbox ? asker_of(*call) : std::nullopt;
  if (!asker) return;
  sandbox->when_over([call, sandbox] { answer_json(*call, 200, sandbox->describe()); });
  sandbox->destroy(WhyDestroyed::asked, asker->peer());
}

void Sandboxes::exec(const SharedCall& call) const {
  with_body(call, [this, call](const JsonObject& body) {
    Result<AskedRun> asked = parse_command(body);
    if (!asked) return answer_problem(*call, 400, asked.error().text);
    const auto key = find_request_key(call, history_);
    if (!key) return;
    if (!key->made.empty()) return runs_.answer_again(call, key->made);
    const auto sandbox = find(call, SandboxRequest::exec);
    if (sandbox) runs_.begin(call, std::move(*asked), *key, sandbox.get());
  });
}

void Sandboxes::pause(const SharedCall& call) const {
  const auto sandbox = find(call, SandboxRequest::pause);
  const auto asker = sandbox ? asker_of(*call) : std::nullopt;
  if (!asker) return;
  sandbox->pause(asker->peer(), [call, sandbox](const Result<void>& done) {
    done ? answer_json(*call, 200, sandbox->describe()) : answer_problem(*call, 501, done.error().text);
  });
}

void Sandboxes::resume(const SharedCall& call) const {
  const auto sandbox = find(call, SandboxRequest::resume);
  const auto asker = sandbox ? asker_of(*call) : std::nullopt;
  if (!asker) return;
  sandbox->resume(asker->peer(), [call, sandbox](const Result<void>& done) {
    done ? answer_json(*call, 200, sandbox->describe()) : answer_problem(*call, 500, done.error().text);
  });
}

void Sandboxes::reset(const SharedCall& call) const {
  const auto sandbox = find(call, SandboxRequest::reset);
  const auto asker = sandbox ? asker_of(*call) : std::nullopt;
  if (!asker) return;
  sandbox->reset(asker->peer(), [call, sandbox](const Result<void>& done) {
    done ? answer_json(*call, 200, sandbox->describe()) : answer_problem(*call, 500, done.error().text);
  });
}

void Sandboxes::stop(const SharedCall& call) const {
  constexpr std::int64_t kGraceMs = 5000;
  const auto sandbox = find(call, SandboxRequest::stop);
  const auto asker = sandbox ? asker_of(*call) : std::nullopt;
  if (!asker) return;
  sandbox->when_over([call, sandbox] { answer_json(*call, 200, sandbox->describe()); });
  sandbox->stop(asker->peer(), kGraceMs);
}

void Sandboxes::stats(const SharedCall& call) const {
  const auto sandbox = find(call, SandboxRequest::stats);
  if (!sandbox) return;
  if (const std::string* text = call->request.query_value("every_ms")) {
    constexpr std::uint64_t kLeast = 100;
    constexpr std::uint64_t kMost = 3'600'000;
    const auto every = parse_count("every_ms", *text);
    if (!every || *every < kLeast || *every > kMost)
      return answer_problem(*call, 400, "every_ms: give 100 to 3600000");
    return stream_stats(loop_, call->exchange, sandbox, std::chrono::milliseconds(*every));
  }
  sandbox->stats([call](Result<Json> stats) {
    stats ? answer_json(*call, 200, *stats) : answer_problem(*call, 500, stats.error().text);
  });
}

// --- sbxrun --------------------------------------------------------------------------------------------

// The connection becomes a way to hand over one descriptor: a keeper sends the client a socket over it.
void Sandboxes::connect(const SharedCall& call) const {
  if (call->parts.empty()) return connect_run(call);
  const auto sandbox = find(call, SandboxRequest::exec);
  if (!sandbox) return;
  call->exchange->take_over("sbx-client", {}, [sandbox](Result<UniqueFd> connection) {
    // Else the client sees its connection end.
    if (connection && give_client(sandbox->control(), connection->get())) sandbox->note_command();
  });
}

// What it will ask for is not known: most ask for the limits of the default policy.
void Sandboxes::connect_run(const SharedCall& call) const {
  auto place = admission_.take({call->client.owner(), policies_.of(RunRequest(), admission_.limits())});
  if (!place) return answer_refusal(*call, place.error());
  auto guest = guests_.add(std::move(*place));
  if (!guest) return answer_problem(*call, 503, guest.error().text);
  const auto kept = std::make_shared<UniqueFd>(std::move(*guest));
  call->exchange->take_over("sbx-client", {}, [this, kept](Result<UniqueFd> connection) {
    if (connection) (void)keepers_.give_client(connection->get(), kept->get());
  });
}

}  // namespace sbx::api
