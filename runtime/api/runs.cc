#include "api/runs.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>

#include "api/run_events.h"
#include "api/run_filter.h"
#include "api/run_json.h"
#include "api/stream_events.h"
#include "base/names.h"
#include "base/times.h"

namespace sbx::api {
namespace {

// Runs that have ended, with a terminal that nobody came to.
constexpr std::size_t kMostUnattended = 64;

// The pipe of standard input, where there is one, and what a keeper is given of it.
struct Input {
  UniqueFd reading;
  UniqueFd writing;
  std::vector<int> streams;
};

Result<Input> make_input(bool wanted) {
  Input input;
  if (!wanted) return input;
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return fail(system_error("pipe2", "standard input", errno));
  input.reading = UniqueFd(ends[0]);
  input.writing = UniqueFd(ends[1]);
  input.streams.push_back(ends[0]);
  return input;
}

void answer_accepted(const SharedCall& call, const Run& run, std::vector<http::Header> headers = {}) {
  headers.push_back({"Location", "/v1/runs/" + run.about().id});
  answer_json(*call, 202, run_json(run, false), std::move(headers));
}

void answer_run(const SharedCall& call, const Run& run, std::vector<http::Header> headers = {}) {
  answer_json(*call, 200, run_json(run, wants(*call, "output", true)), std::move(headers));
}

// `cancels`: who goes away meanwhile ends the run.
void answer_when_ended(const SharedCall& call, const std::shared_ptr<Run>& run, bool cancels,
                       std::vector<http::Header> headers = {}) {
  const auto follower = std::make_shared<Run::Follower>();
  call->exchange->on_client_gone([run, follower, cancels] {
    follower->reset();
    if (run->ended() || !cancels) return;
    run->signal(SIGTERM);
    run->signal(SIGTERM);
  });
  *follower = run->follow([call, run, follower, headers = std::move(headers)] {
    if (!run->ended()) return;
    const auto last = std::exchange(*follower, {});
    answer_run(call, *run, headers);
  });
}

// Whether a place is one that no event of this run can have told so far; empty: it is none such, or who
// knows.
std::string beyond(const Run& run, const SpillPlace& from) {
  Result<UniqueFd> file = run.open_output();
  if (!file) return {};
  const auto written = count_spilled(std::move(*file));
  if (from.offsets[0] <= written[0] && from.offsets[1] <= written[1]) return {};
  return "the id of the last event is beyond what the run has written: " + std::to_string(written[0]) +
         " bytes to stdout, " + std::to_string(written[1]) + " to stderr";
}

// Whether a command was ended, in place of ending by itself.
bool was_ended(const Run& run) {
  const Json result = Json::parse(run.result(), nullptr, false);
  return !result.is_object() || result.value("outcome", Json()) != "exited";
}

}  // namespace

void Runs::add_routes(Router& router) {
  const auto add = [&](const char* method, const char* path, auto member) -> Router::Route& {
    return router.add(method, path, [this, member](const SharedCall& call) { (this->*member)(call); });
  };
  add("POST", "/v1/runs", &Runs::create).takes({"wait"});
  add("GET", "/v1/runs", &Runs::list).takes_its_own();
  add("GET", "/v1/runs/{run}", &Runs::get).takes({"wait", "output"});
  add("DELETE", "/v1/runs/{run}", &Runs::cancel);
  add("POST", "/v1/runs/{run}/signal", &Runs::signal);
  add("GET", "/v1/runs/{run}/output", &Runs::get_output).takes({"stream"});
  add("GET", "/v1/runs/{run}/events", &Runs::get_events).takes({"after"});
  router.add(
      "GET", "/v1/runs/{run}/terminal", [this](const SharedCall& call) { be_at_terminal(call); }, Scope::run);
}

void Runs::create(const SharedCall& call) {
  with_body(call, [this, call](const JsonObject& body) {
    Result<AskedRun> asked = parse_run(body);
    if (!asked) return answer_problem(*call, 400, asked.error().text);
    if (const std::string why = call->client.why_not(asked->request); !why.empty())
      return answer_problem(*call, 403, why);
    const auto key = find_request_key(call, history_);
    if (!key) return;
    if (!key->made.empty()) return answer_again(call, key->made);
    begin(call, std::move(*asked), *key, nullptr);
  });
}

struct Runs::Start {
  RunRequest request;
  std::optional<std::string> input;
  Asker asker;
};

// `sandbox`: where it runs; null: in one of its own.
void Runs::begin(const SharedCall& call, AskedRun asked, const RequestKey& key, LiveSandbox* sandbox) {
  asked.request.run_id = new_run_id();
  RunSummary about;
  about.id = asked.request.run_id;
  about.task = asked.request.task_id;
  about.project = asked.request.project;
  about.labels = std::move(asked.labels);
  about.owner = call->client.owner();
  about.created_ms = utc_ms();
  if (sandbox != nullptr) {
    about.sandbox = sandbox->id();
    about.task = sandbox->asked().request.task_id;
    about.project = sandbox->asked().request.project;
  }
  Result<Asker> asker = call->client.asker(call->exchange->peer_socket());
  if (!asker) return answer_problem(*call, 503, asker.error().text);
  std::weak_ptr<LiveSandbox> home;  // that ends with it
  if (asked.fatal) home = sandbox->weak_from_this();
  const auto run = std::make_shared<Run>(
      loop_, output_, std::move(about),
      [this](const Run& started) { history_.set_running(started.about().id); },
      [this, home](const Run& ended) {
        if (ended.lost_keeper()) keepers_.note_lost();
        note_end(ended);
        const auto its = home.lock();
        if (its && was_ended(ended) && may_ask(its->state(), SandboxRequest::destroy))
          its->destroy(WhyDestroyed::command);
      });
  if (!(sandbox != nullptr ? sandbox->asked().request : asked.request).binds.empty()) run->note_binds();
  if (asked.request.tty) run->make_terminal([this](const Run& over) { runs_.erase(over.about().id); });
  Start start{std::move(asked.request), std::move(asked.input), std::move(*asker)};
  if (sandbox == nullptr) {
    if (!admit(call, run, std::move(start))) return;
  } else {
    const auto begun = begin_in(*sandbox, *run, std::move(start));
    if (!begun) return answer_problem(*call, 503, begun.error().text);
    sandbox->note_command();
  }
  runs_[run->about().id] = run;
  RunRecord record;
  record.about = run->about();
  history_.begin(record, key.with_id(record.about.id));
  // Who has a key can come back for it.
  if (wants(*call, "wait", false)) return answer_when_ended(call, run, !key.key);
  answer_accepted(call, *run);
}

Result<void> Runs::begin_in(const LiveSandbox& sandbox, Run& run, Start start) {
  Input input = TRY(make_input(start.input.has_value()));
  UniqueFd client = TRY(start_command(sandbox.control(), start.request, input.streams, start.asker.peer()));
  return run.begin(std::move(client), std::move(start.input).value_or(""), std::move(input.writing), {});
}

Result<void> Runs::begin_own(Run& run, Start start, Admission::Place place) {
  Input input = TRY(make_input(start.input.has_value()));
  UniqueFd client = TRY(keepers_.start_run(start.request, input.streams, start.asker.peer()));
  return run.begin(std::move(client), std::move(start.input).value_or(""), std::move(input.writing),
                   std::move(place));
}

bool Runs::admit(const SharedCall& call, const std::shared_ptr<Run>& run, Start start) {
  const std::string& project = start.request.project;
  const Admission::Wish wish{project.empty() ? call->client.owner() : "project '" + project + "'",
                             policies_.of(start.request, admission_.limits()),
                             encode_run_request(start.request).size() + start.input.value_or("").size()};
  auto place = admission_.take(wish);
  if (place) {
    const auto begun = begin_own(*run, std::move(start), std::move(*place));
    if (!begun) answer_problem(*call, 503, begun.error().text);
    return begun.has_value();
  }
  if (!place.error().may_wait) return answer_refusal(*call, place.error()), false;
  const auto kept = std::make_shared<Start>(std::move(start));
  auto ticket = admission_.wait(wish, [this, run, kept](Admission::Place turn) {
    if (run->ended()) return;
    const auto begun = begin_own(*run, std::move(*kept), std::move(turn));
    if (!begun) run->fail_with(begun.error().text);
  });
  if (!ticket) return answer_refusal(*call, ticket.error()), false;
  run->wait(std::move(*ticket));
  return true;
}

void Runs::answer_again(const SharedCall& call, const std::string& id) {
  const auto run = look_for(id);
  if (!run) return answer_problem(*call, 503, run.error().text, {{"Retry-After", "1"}});
  if (!*run)
    return answer_problem(*call, 410, "the run '" + id + "', made for this Idempotency-Key, is forgotten");
  if (!wants(*call, "wait", false)) return answer_accepted(call, **run, {kReplayed});
  if (!(*run)->ended()) return answer_when_ended(call, *run, false, {kReplayed});
  answer_run(call, **run, {kReplayed});
}

void Runs::note_end(const Run& run) {
  const Json result = Json::parse(run.result(), nullptr, false);
  const auto word = [&](const char* field) {
    const auto found = result.find(field);
    return found != result.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  RunRecord record;
  record.about = run.about();
  record.status = result.is_object() ? word("status") : "error";
  record.outcome = result.is_object() ? word("outcome") : "";
  metrics_.note_run(record.outcome, run.about().sandbox.empty(), run.age());
  record.result = run.result();
  record.finished_ms = utc_ms();
  record.output_bytes = run.kept_bytes();
  history_.end(record);
  // What it wrote to a terminal is there for a while, for who comes late.
  if (!run.terminal() || run.terminal()->taken() || unattended() > kMostUnattended)
    runs_.erase(run.about().id);
  look_after();
}

void Runs::count(Metrics::Now& now) const {
  for (const auto& [id, run] : runs_) {
    if (!run->ended()) ++(run->started() ? now.running : now.queued);
  }
  now.kept_runs = static_cast<std::size_t>(history_.totals().runs);
  now.kept_bytes = static_cast<std::uint64_t>(history_.totals().bytes);
}

void Runs::look_after() {
  care_ = loop_.after(history_.look_after(), [this] { look_after(); });
}

Result<std::shared_ptr<Run>> Runs::look_for(const std::string& id) const {
  if (const auto live = runs_.find(id); live != runs_.end()) return live->second;
  std::optional<RunRecord> record = TRY(history_.find(id));
  if (!record) return std::shared_ptr<Run>();
  return std::make_shared<Run>(loop_, output_, std::move(*record));
}

std::shared_ptr<Run> Runs::find(const SharedCall& call) const {
  const auto run = look_for(call->parts.front());
  if (run && *run && call->client.sees((*run)->about().owner, (*run)->about().project)) return *run;
  run ? answer_problem(*call, 404, "there is no run '" + call->parts.front() + "'")
      : answer_problem(*call, 503, run.error().text, {{"Retry-After", "1"}});
  return nullptr;
}

void Runs::get(const SharedCall& call) const {
  const auto run = find(call);
  if (!run) return;
  if (!run->ended() && wants(*call, "wait", false)) return answer_when_ended(call, run, false);
  answer_run(call, *run);
}

void Runs::list(const SharedCall& call) const {
  auto filter = parse_run_filter(call->request);
  if (!filter) return answer_problem(*call, 400, filter.error().text);
  call->client.narrow(*filter);
  auto page = history_.list(*filter);
  if (!page) return answer_problem(*call, 503, page.error().text, {{"Retry-After", "1"}});
  OrderedJson list = OrderedJson::array();
  for (RunRecord& record : page->runs) {
    const auto live = runs_.find(record.about.id);
    list.push_back(live != runs_.end() ? run_json(*live->second, false)
                                       : run_json(Run(loop_, output_, std::move(record)), false));
  }
  answer_json(*call, 200,
              {{"runs", std::move(list)},
               {"next_cursor", page->next ? OrderedJson(cursor_of(*page->next)) : OrderedJson(nullptr)}});
}

void Runs::get_output(const SharedCall& call) const {
  const auto run = find(call);
  if (!run) return;
  const std::string* name = call->request.query_value("stream");
  const std::string stream = name == nullptr ? "stdout" : *name;
  if (stream != "stdout" && stream != "stderr")
    return answer_problem(*call, 400, "stream: 'stdout' or 'stderr', not '" + stream + "'");
  Result<UniqueFd> file = run->open_output();
  if (!file && run->ended())
    return answer_problem(*call, 410, "there is no output of this run, or none any more");
  if (!file) return answer_problem(*call, 409, file.error().text);
  stream_output(call->exchange, std::move(*file), stream == "stderr" ? 1 : 0);
}

void Runs::get_events(const SharedCall& call) const {
  const auto run = find(call);
  if (!run) return;
  SpillPlace from;
  const std::string* id = call->request.header("Last-Event-ID");
  if (id == nullptr) id = call->request.query_value("after");
  if (id != nullptr) {
    const auto offsets = parse_event_id(*id);
    if (!offsets) return answer_problem(*call, 400, offsets.error().text);
    from = *offsets;
    if (const std::string why = beyond(*run, from); !why.empty()) return answer_problem(*call, 400, why);
  }
  if (call->request.header_has("Upgrade", "websocket"))
    return send_events_by_websocket(call->exchange, run, from);
  send_events_by_sse(loop_, call->exchange, run, from);
}

std::vector<std::shared_ptr<Run>> Runs::in_project(const std::string& project) const {
  std::vector<std::shared_ptr<Run>> living;
  for (const auto& [id, run] : runs_) {
    if (run->about().project == project && run->about().sandbox.empty() && !run->ended())
      living.push_back(run);
  }
  return living;
}

void Runs::cancel_all() {
  for (const auto& [id, run] : std::map(runs_)) {
    if (!run->ended()) run->signal(SIGTERM);
  }
}

}  // namespace sbx::api
