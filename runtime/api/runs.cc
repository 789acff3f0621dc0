// Runs: each a program in a sandbox of its own, or a command of one that is there.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>

#include "api/run_events.h"
#include "api/service.h"
#include "api/stream_events.h"
#include "base/names.h"
#include "base/times.h"
#include "base/utf8.h"

namespace sbx::api {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::size_t kMostOutput = 8U << 20U;  // of a stream, in a result; all of it is at …/output

struct Pipe {
  UniqueFd reading;
  UniqueFd writing;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return fail(system_error("pipe2", "standard input", errno));
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// Into the `stdout` or `stderr` of a result, which has its length.
void put_output(OrderedJson& stream, const Run& run, std::size_t index) {
  if (!stream.is_object()) return;
  Result<UniqueFd> file = run.open_output();
  if (!file) return;
  const Result<std::string> bytes = read_spilled(std::move(*file), index, kMostOutput + 1);
  if (!bytes || bytes->size() > kMostOutput) {
    stream["elsewhere"] = "/v1/runs/" + run.about().id + "/output";
  } else if (valid_utf8_prefix(*bytes) == bytes->size()) {
    stream["text"] = *bytes;
  } else {
    stream["base64"] = base64(*bytes);
  }
}

OrderedJson run_json(const Run& run, bool with_output) {
  const RunSummary& about = run.about();
  OrderedJson json;
  if (run.ended()) {
    json = OrderedJson::parse(run.result(), nullptr, false);
    if (with_output && json.is_object()) {
      if (json.contains("stdout")) put_output(json["stdout"], run, 0);
      if (json.contains("stderr")) put_output(json["stderr"], run, 1);
    }
  } else {
    json = {{"schema", 1},
            {"run_id", about.id},
            {"task_id", about.task.empty() ? OrderedJson(nullptr) : OrderedJson(about.task)},
            {"project_id", about.project.empty() ? OrderedJson(nullptr) : OrderedJson(about.project)},
            {"sandbox_id", about.sandbox.empty() ? OrderedJson(nullptr) : OrderedJson(about.sandbox)},
            {"status", run.started() ? "running" : "queued"},
            {"created_at", rfc3339(about.created_ms)}};
  }
  json["labels"] = about.labels;
  return json;
}

void answer_ordered(Call& call, int status, const OrderedJson& json, std::vector<http::Header> headers = {}) {
  headers.push_back({"Content-Type", "application/json"});
  call.exchange->respond(
      {status, std::move(headers), json.dump(-1, ' ', true, OrderedJson::error_handler_t::replace) + "\n"});
}

bool wants(const Call& call, std::string_view name, bool otherwise) {
  const std::string* value = call.request.query_value(name);
  return value == nullptr ? otherwise : *value == "true" || *value == "1" || value->empty();
}

}  // namespace

void Service::create_run(const Shared& call) {
  with_body(call, [this, call](const JsonObject& body) {
    Result<AskedRun> asked = parse_run(body);
    if (!asked) return answer_problem(*call, 400, asked.error().text);
    if (admit(call)) begin_run(call, std::move(*asked), nullptr);
  });
}

// `sandbox`: where it runs; null: in one of its own.
void Service::begin_run(const Shared& call, AskedRun asked, LiveSandbox* sandbox) {
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
  const bool own = sandbox == nullptr;
  const auto begun = run->begin([this, own](const Run& ended) {
    if (own) --running_;
    kept_bytes_ += ended.kept_bytes();
    forget_old_runs();
    check_stopped();
  });
  if (!begun) return answer_problem(*call, 503, begun.error().text);
  if (own) ++running_;
  if (sandbox != nullptr) sandbox->note_command();
  runs_[run->about().id] = run;
  if (wants(*call, "wait", false)) return answer_when_ended(call, run);
  answer_ordered(*call, 202, run_json(*run, false), {{"Location", "/v1/runs/" + run->about().id}});
}

// Who waits and goes away cancels the run.
void Service::answer_when_ended(const Shared& call, const std::shared_ptr<Run>& run) {
  const auto follower = std::make_shared<Run::Follower>();
  call->exchange->on_client_gone([run, follower] {
    follower->reset();
    if (run->ended()) return;
    run->signal(SIGTERM);
    run->signal(SIGTERM);
  });
  *follower = run->follow([this, call, run, follower] {
    if (!run->ended()) return;
    const auto last = std::exchange(*follower, {});
    answer_run(call, run);
  });
}

void Service::answer_run(const Shared& call, const std::shared_ptr<Run>& run) {
  answer_ordered(*call, 200, run_json(*run, wants(*call, "output", true)));
}

std::shared_ptr<Run> Service::find_run(const Shared& call) {
  const auto found = runs_.find(call->parts.front());
  if (found != runs_.end() && may_see(*call, found->second->about().uid)) return found->second;
  answer_problem(*call, 404, "there is no run '" + call->parts.front() + "'");
  return nullptr;
}

void Service::get_run(const Shared& call) {
  const auto run = find_run(call);
  if (!run) return;
  if (!run->ended() && wants(*call, "wait", false)) {
    const auto follower = std::make_shared<Run::Follower>();
    call->exchange->on_client_gone([follower] { follower->reset(); });
    *follower = run->follow([this, call, run, follower] {
      if (!run->ended()) return;
      const auto last = std::exchange(*follower, {});
      answer_run(call, run);
    });
    return;
  }
  answer_run(call, run);
}

void Service::list_runs(const Shared& call) {
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
    const auto differs = [&](const char* name, const std::string& value) {
      const std::string* wanted = call->request.query_value(name);
      return wanted != nullptr && *wanted != value;
    };
    if (differs("project_id", run.about().project) || differs("task_id", run.about().task) ||
        differs("sandbox_id", run.about().sandbox))
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
  answer_ordered(*call, 200, {{"runs", std::move(list)}, {"next_cursor", next}});
}

// Once: SIGTERM, and 5 s; again: at once.
void Service::cancel_run(const Shared& call) {
  const auto run = find_run(call);
  if (!run) return;
  if (run->ended()) return answer_problem(*call, 409, "the run has ended");
  run->signal(SIGTERM);
  answer_ordered(*call, 202, run_json(*run, false));
}

void Service::get_output(const Shared& call) {
  const auto run = find_run(call);
  if (!run) return;
  const std::string* name = call->request.query_value("stream");
  const std::string stream = name == nullptr ? "stdout" : *name;
  if (stream != "stdout" && stream != "stderr")
    return answer_problem(*call, 400, "stream: 'stdout' or 'stderr', not '" + stream + "'");
  Result<UniqueFd> file = run->open_output();
  if (!file) return answer_problem(*call, 409, file.error().text);
  stream_output(call->exchange, std::move(*file), stream == "stderr" ? 1 : 0);
}

void Service::get_events(const Shared& call) {
  const auto run = find_run(call);
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

}  // namespace sbx::api
