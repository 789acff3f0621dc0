#include "api/runs.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>

#include "api/run_events.h"
#include "api/run_json.h"
#include "api/stream_events.h"
#include "base/names.h"
#include "base/times.h"

namespace sbx::api {
namespace {

struct Pipe {
  UniqueFd reading;
  UniqueFd writing;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return fail(system_error("pipe2", "standard input", errno));
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

void answer_run(const SharedCall& call, const Run& run) {
  answer_json(*call, 200, run_json(run, wants(*call, "output", true)));
}

// `cancels`: who goes away meanwhile ends the run.
void answer_when_ended(const SharedCall& call, const std::shared_ptr<Run>& run, bool cancels) {
  const auto follower = std::make_shared<Run::Follower>();
  call->exchange->on_client_gone([run, follower, cancels] {
    follower->reset();
    if (run->ended() || !cancels) return;
    run->signal(SIGTERM);
    run->signal(SIGTERM);
  });
  *follower = run->follow([call, run, follower] {
    if (!run->ended()) return;
    const auto last = std::exchange(*follower, {});
    answer_run(call, *run);
  });
}

}  // namespace

void Runs::add_routes(Router& router) {
  const auto add = [&](const char* method, const char* path, auto member) {
    router.add(method, path, [this, member](const SharedCall& call) { (this->*member)(call); });
  };
  add("POST", "/v1/runs", &Runs::create);
  add("GET", "/v1/runs", &Runs::list);
  add("GET", "/v1/runs/{run}", &Runs::get);
  add("DELETE", "/v1/runs/{run}", &Runs::cancel);
  add("GET", "/v1/runs/{run}/output", &Runs::get_output);
  add("GET", "/v1/runs/{run}/events", &Runs::get_events);
}

void Runs::create(const SharedCall& call) {
  with_body(call, [this, call](const JsonObject& body) {
    Result<AskedRun> asked = parse_run(body);
    if (!asked) return answer_problem(*call, 400, asked.error().text);
    if (admission_.admit(*call)) begin(call, std::move(*asked), nullptr);
  });
}

// `sandbox`: where it runs; null: in one of its own.
void Runs::begin(const SharedCall& call, AskedRun asked, LiveSandbox* sandbox) {
  asked.request.run_id = new_run_id();
  RunSummary about;
  about.id = asked.request.run_id;
  about.task = asked.request.task_id;
  about.project = asked.request.project;
  about.labels = std::move(asked.labels);
  about.uid = call->request.peer.uid;
  about.created_ms = utc_ms();
  if (sandbox != nullptr) {
    about.sandbox = sandbox->id();
    about.task = sandbox->asked().request.task_id;
    about.project = sandbox->asked().request.project;
  }
  Pipe input;
  std::vector<int> streams;
  if (asked.input) {
    Result<Pipe> made = make_pipe();
    if (!made) return answer_problem(*call, 503, made.error().text);
    input = std::move(*made);
    streams.push_back(input.reading.get());
  }
  const int peer = call->exchange->peer_socket();
  Result<UniqueFd> client = sandbox == nullptr
                                ? keepers_.start_run(asked.request, streams, peer)
                                : start_command(sandbox->control(), asked.request, streams, peer);
  if (!client) return answer_problem(*call, 503, client.error().text);
  const auto run = std::make_shared<Run>(loop_, std::move(about), std::move(*client),
                                         std::move(asked.input).value_or(""), std::move(input.writing));
  const auto place = std::make_shared<Admission::Place>();
  if (sandbox == nullptr) *place = Admission::Place(admission_);
  const auto begun = run->begin([this, place](const Run& ended) {
    kept_bytes_ += ended.kept_bytes();
    forget_old();
    place->leave();
  });
  if (!begun) return answer_problem(*call, 503, begun.error().text);
  if (sandbox != nullptr) sandbox->note_command();
  runs_[run->about().id] = run;
  if (wants(*call, "wait", false)) return answer_when_ended(call, run, true);
  answer_json(*call, 202, run_json(*run, false), {{"Location", "/v1/runs/" + run->about().id}});
}

std::shared_ptr<Run> Runs::find(const SharedCall& call) const {
  const auto found = runs_.find(call->parts.front());
  if (found != runs_.end() && may_see(*call, found->second->about().uid)) return found->second;
  answer_problem(*call, 404, "there is no run '" + call->parts.front() + "'");
  return nullptr;
}

void Runs::get(const SharedCall& call) const {
  const auto run = find(call);
  if (!run) return;
  if (!run->ended() && wants(*call, "wait", false)) return answer_when_ended(call, run, false);
  answer_run(call, *run);
}

void Runs::list(const SharedCall& call) const {
  constexpr std::size_t kMost = 500;
  std::size_t limit = 50;
  if (const std::string* text = call->request.query_value("limit")) {
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), limit);
    if (error != std::errc{} || *end != '\0' || limit == 0 || limit > kMost)
      return answer_problem(*call, 400, "limit: give 1 to 500");
  }
  // The newest first; a cursor is the id of the last one of the page before.
  const std::string* cursor = call->request.query_value("cursor");
  auto at = cursor == nullptr ? runs_.end() : runs_.lower_bound(*cursor);
  OrderedJson list = OrderedJson::array();
  OrderedJson next = nullptr;
  while (at != runs_.begin()) {
    --at;
    const Run& run = *at->second;
    if (!may_see(*call, run.about().uid)) continue;
    if (asks_for_another(*call, "project_id", run.about().project) ||
        asks_for_another(*call, "task_id", run.about().task) ||
        asks_for_another(*call, "sandbox_id", run.about().sandbox))
      continue;
    OrderedJson json = run_json(run, false);
    const auto text = [&json](const char* field) { return json.value(field, OrderedJson()); };
    if (const std::string* wanted = call->request.query_value("outcome");
        wanted != nullptr && text("outcome") != *wanted)
      continue;
    if (const std::string* wanted = call->request.query_value("status");
        wanted != nullptr && text("status") != *wanted)
      continue;
    if (list.size() == limit) {
      next = list.back()["run_id"];
      break;
    }
    list.push_back(std::move(json));
  }
  answer_json(*call, 200, {{"runs", std::move(list)}, {"next_cursor", next}});
}

// Once: SIGTERM, and 5 s; again: at once.
void Runs::cancel(const SharedCall& call) const {
  const auto run = find(call);
  if (!run) return;
  if (run->ended()) return answer_problem(*call, 409, "the run has ended");
  run->signal(SIGTERM);
  answer_json(*call, 202, run_json(*run, false));
}

void Runs::get_output(const SharedCall& call) const {
  const auto run = find(call);
  if (!run) return;
  const std::string* name = call->request.query_value("stream");
  const std::string stream = name == nullptr ? "stdout" : *name;
  if (stream != "stdout" && stream != "stderr")
    return answer_problem(*call, 400, "stream: 'stdout' or 'stderr', not '" + stream + "'");
  Result<UniqueFd> file = run->open_output();
  if (!file) return answer_problem(*call, 409, file.error().text);
  stream_output(call->exchange, std::move(*file), stream == "stderr" ? 1 : 0);
}

void Runs::get_events(const SharedCall& call) const {
  const auto run = find(call);
  if (!run) return;
  std::array<std::uint64_t, 2> from{};
  const std::string* id = call->request.header("Last-Event-ID");
  if (id == nullptr) id = call->request.query_value("after");
  if (id != nullptr) {
    const auto offsets = parse_event_id(*id);
    if (!offsets) return answer_problem(*call, 400, offsets.error().text);
    from = *offsets;
  }
  if (call->request.header_has("Upgrade", "websocket"))
    return send_events_by_websocket(call->exchange, run, from);
  send_events_by_sse(loop_, call->exchange, run, from);
}

void Runs::forget_old() {
  const auto too_much = [this] { return runs_.size() > kept_.most || kept_bytes_ > kept_.output_bytes; };
  for (auto at = runs_.begin(); at != runs_.end() && too_much();) {
    if (!at->second->ended()) {
      ++at;
      continue;
    }
    at->second->forget_output();
    kept_bytes_ -= at->second->kept_bytes();
    at = runs_.erase(at);
  }
}

void Runs::cancel_all() {
  for (const auto& [id, run] : std::map(runs_)) {
    if (!run->ended()) run->signal(SIGTERM);
  }
}

}  // namespace sbx::api
