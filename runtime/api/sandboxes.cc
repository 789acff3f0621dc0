// Sandboxes of many commands.
#include "api/service.h"
#include "base/names.h"
#include "os/socket.h"
#include "wire/client_protocol.h"

namespace sbx::api {
namespace {

bool same(const AskedSandbox& one, const AskedSandbox& other) {
  return encode_run_request(one.request) == encode_run_request(other.request) && one.labels == other.labels &&
         one.idle_ms == other.idle_ms && one.total_ms == other.total_ms;
}

}  // namespace

void Service::create_sandbox(const Shared& call) {
  with_body(call, [this, call](const JsonObject& body) {
    Result<AskedSandbox> asked = parse_sandbox(body);
    if (!asked) return answer_problem(*call, 400, asked.error().text);
    begin_sandbox(call, std::move(*asked));
  });
}

// One task has one living sandbox: asking for it again gives that.
void Service::begin_sandbox(const Shared& call, AskedSandbox asked) {
  const std::string& task = asked.request.task_id;
  for (const auto& [id, sandbox] : sandboxes_) {
    if (task.empty() || sandbox->asked().request.task_id != task || is_over(sandbox->state())) continue;
    if (!may_see(*call, sandbox->uid()))
      return answer_problem(*call, 409, "the task '" + task + "' has a sandbox of another user");
    if (sandbox->state() == SandboxState::stopping)
      return answer_problem(*call, 409,
                            "the sandbox of task '" + task + "' is stopping: ask again when it is gone");
    if (!same(sandbox->asked(), asked))
      return answer_problem(*call, 409,
                            "the task '" + task + "' has the sandbox '" + id + "', made in another way");
    const auto there = sandbox;
    return there->when_settled([this, call, there] { answer_sandbox(call, *there, 200); });
  }
  if (!admit(call)) return;
  std::string id = new_run_id();
  Result<UniqueFd> control = keepers_.create(asked.request, call->exchange->peer_socket());
  if (!control) return answer_problem(*call, 503, control.error().text);
  const auto sandbox =
      std::make_shared<LiveSandbox>(loop_, id, std::move(asked), call->request.peer.uid, std::move(*control));
  const auto begun = sandbox->begin([this](LiveSandbox& changed) {
    if (is_over(changed.state())) {
      loop_.post([this, over = changed.id()] { sandboxes_.erase(over); });
    }
    check_stopped();
  });
  if (!begun) return answer_problem(*call, 503, begun.error().text);
  sandboxes_[id] = sandbox;
  sandbox->when_settled([this, call, sandbox] {
    answer_sandbox(call, *sandbox, sandbox->state() == SandboxState::failed ? 422 : 201);
  });
}

void Service::answer_sandbox(const Shared& call, const LiveSandbox& sandbox, int status) {
  if (status == 422) return answer_problem(*call, 422, sandbox.why_failed());
  std::vector<http::Header> headers;
  if (status == 201) headers.push_back({"Location", "/v1/sandboxes/" + sandbox.id()});
  answer_json(*call, status, sandbox.describe(), std::move(headers));
}

// By its id, or by "task:" and that.
std::shared_ptr<LiveSandbox> Service::find_sandbox(const Shared& call) {
  const std::string& name = call->parts.front();
  for (const auto& [id, sandbox] : sandboxes_) {
    const std::string& task = sandbox->asked().request.task_id;
    if (name != id && (task.empty() || name != "task:" + task)) continue;
    if (may_see(*call, sandbox->uid())) return sandbox;
  }
  answer_problem(*call, 404, "there is no sandbox '" + name + "'");
  return nullptr;
}

std::shared_ptr<LiveSandbox> Service::find_sandbox(const Shared& call, SandboxRequest request) {
  auto sandbox = find_sandbox(call);
  if (!sandbox || may_ask(sandbox->state(), request)) return sandbox;
  answer_problem(*call, 409, "the sandbox is " + std::string(state_name(sandbox->state())));
  return nullptr;
}

void Service::list_sandboxes(const Shared& call) {
  Json list = Json::array();
  for (const auto& [id, sandbox] : sandboxes_) {
    if (!may_see(*call, sandbox->uid())) continue;
    const auto differs = [&](const char* name, const std::string& value) {
      const std::string* wanted = call->request.query_value(name);
      return wanted != nullptr && *wanted != value;
    };
    if (differs("project_id", sandbox->asked().request.project) ||
        differs("task_id", sandbox->asked().request.task_id) ||
        differs("state", std::string(state_name(sandbox->state()))))
      continue;
    const std::string* label = call->request.query_value("label");
    if (label != nullptr) {
      const std::size_t equals = label->find('=');
      const auto found = sandbox->asked().labels.find(label->substr(0, equals));
      const bool managed = *label == "sbx.managed=true";
      if (!managed && (found == sandbox->asked().labels.end() ||
                       (equals != std::string::npos && found->second != label->substr(equals + 1))))
        continue;
    }
    list.push_back(sandbox->describe());
  }
  answer_json(*call, 200, {{"sandboxes", std::move(list)}});
}

void Service::get_sandbox(const Shared& call) {
  if (const auto sandbox = find_sandbox(call)) answer_json(*call, 200, sandbox->describe());
}

void Service::destroy_sandbox(const Shared& call) {
  const auto sandbox = find_sandbox(call, SandboxRequest::destroy);
  if (!sandbox) return;
  sandbox->when_over([call, sandbox] { answer_json(*call, 200, sandbox->describe()); });
  sandbox->destroy();
}

void Service::exec_in_sandbox(const Shared& call) {
  with_body(call, [this, call](const JsonObject& body) {
    Result<AskedRun> asked = parse_command(body);
    if (!asked) return answer_problem(*call, 400, asked.error().text);
    const auto sandbox = find_sandbox(call, SandboxRequest::exec);
    if (sandbox) begin_run(call, std::move(*asked), sandbox.get());
  });
}

void Service::pause_sandbox(const Shared& call) {
  const auto sandbox = find_sandbox(call, SandboxRequest::pause);
  if (!sandbox) return;
  sandbox->pause([call, sandbox](const Result<void>& done) {
    done ? answer_json(*call, 200, sandbox->describe()) : answer_problem(*call, 501, done.error().text);
  });
}

void Service::resume_sandbox(const Shared& call) {
  const auto sandbox = find_sandbox(call, SandboxRequest::resume);
  if (!sandbox) return;
  sandbox->resume([call, sandbox](const Result<void>& done) {
    done ? answer_json(*call, 200, sandbox->describe()) : answer_problem(*call, 500, done.error().text);
  });
}

void Service::stop_sandbox(const Shared& call) {
  constexpr std::int64_t kGraceMs = 5000;
  const auto sandbox = find_sandbox(call, SandboxRequest::stop);
  if (!sandbox) return;
  sandbox->when_over([call, sandbox] { answer_json(*call, 200, sandbox->describe()); });
  sandbox->stop(kGraceMs);
}

void Service::get_stats(const Shared& call) {
  const auto sandbox = find_sandbox(call, SandboxRequest::stats);
  if (!sandbox) return;
  sandbox->stats([call](Result<Json> stats) {
    stats ? answer_json(*call, 200, *stats) : answer_problem(*call, 500, stats.error().text);
  });
}

// --- sbxrun --------------------------------------------------------------------------------------------

// The connection becomes a way to hand over one descriptor: a client's socket of a keeper.
void Service::connect(const Shared& call) {
  std::shared_ptr<LiveSandbox> sandbox;
  if (!call->parts.empty()) {
    sandbox = find_sandbox(call, SandboxRequest::exec);
    if (!sandbox) return;
  } else if (!admit(call)) {
    return;
  }
  call->exchange->take_over("sbx-client", {}, [this, sandbox](Result<UniqueFd> connection) {
    if (!connection) return;
    auto pair = os::seqpacket_pair();
    if (!pair) return;
    const bool given =
        sandbox ? give_client(sandbox->control(), pair->second.get(), connection->get()).has_value()
                : keepers_.give_client(pair->second.get(), connection->get()).has_value();
    if (!given) return;  // the client sees its connection end
    const int fd = pair->first.get();
    (void)os::send_message(connection->get(), "c", std::span(&fd, 1));
    if (sandbox) sandbox->note_command();
  });
}

}  // namespace sbx::api
