#include "api/sandboxes.h"

#include <algorithm>
#include <cerrno>

#include "api/sandbox_name.h"
#include "base/names.h"

namespace sbx::api {
namespace {

void answer_sandbox(const SharedCall& call, const LiveSandbox& sandbox, int status,
                    std::vector<http::Header> headers = {}) {
  if (status == 201) headers.push_back({"Location", "/v1/sandboxes/" + sandbox.id()});
  answer_json(*call, status, sandbox.describe(), std::move(headers));
}

void answer_made(const SharedCall& call, const LiveSandbox& sandbox, int status,
                 std::vector<http::Header> headers = {}) {
  if (sandbox.state() == SandboxState::failed)
    return answer_problem(*call, 422, sandbox.why_failed(), std::move(headers));
  answer_sandbox(call, sandbox, status, std::move(headers));
}

// Of a page that has at most one more than it shows, which is taken off.
OrderedJson next_cursor(std::vector<std::shared_ptr<LiveSandbox>>& page, std::size_t limit) {
  if (page.size() <= limit) return nullptr;
  page.pop_back();
  return page.back()->id();
}

bool same(const AskedSandbox& one, const AskedSandbox& other) {
  RunRequest request = other.request;
  request.sandbox_name = one.request.sandbox_name;
  return encode_run_request(one.request) == encode_run_request(request) && one.labels == other.labels &&
         one.idle_ms == other.idle_ms && one.total_ms == other.total_ms;
}

}  // namespace

void Sandboxes::add_routes(Router& router) {
  const auto add = [&](const char* method, const char* path, auto member) -> Router::Route& {
    return router.add(method, path, [this, member](const SharedCall& call) { (this->*member)(call); });
  };
  add("POST", "/v1/sandboxes", &Sandboxes::create);
  add("GET", "/v1/sandboxes", &Sandboxes::list).takes_its_own();
  add("DELETE", "/v1/sandboxes", &Sandboxes::destroy_several).takes_its_own();
  add("GET", "/v1/sandboxes/stats", &Sandboxes::stats_of_several).takes_its_own();
  add("GET", "/v1/sandboxes/{sandbox}", &Sandboxes::get);
  add("DELETE", "/v1/sandboxes/{sandbox}", &Sandboxes::destroy);
  add("POST", "/v1/sandboxes/{sandbox}/exec", &Sandboxes::exec).takes({"wait"});
  add("POST", "/v1/sandboxes/{sandbox}/pause", &Sandboxes::pause);
  add("POST", "/v1/sandboxes/{sandbox}/resume", &Sandboxes::resume);
  add("POST", "/v1/sandboxes/{sandbox}/reset", &Sandboxes::reset);
  add("POST", "/v1/sandboxes/{sandbox}/stop", &Sandboxes::stop);
  add("GET", "/v1/sandboxes/{sandbox}/stats", &Sandboxes::stats).takes({"every_ms"});
  const auto connects = [this](const SharedCall& call) { connect(call); };
  router.add("GET", "/v1/sandboxes/{sandbox}/connect", connects, Scope::run);
  router.add("GET", "/v1/connect", connects, Scope::run);
}

bool Sandboxes::sees(const Call& call, const LiveSandbox& sandbox) {
  const RunRequest& request = sandbox.asked().request;
  return call.client.sees(sandbox.owner(), request.project, !request.binds.empty());
}

std::vector<std::shared_ptr<LiveSandbox>> Sandboxes::in_project(const std::string& project) const {
  std::vector<std::shared_ptr<LiveSandbox>> living;
  for (const auto& [id, sandbox] : sandboxes_) {
    if (sandbox->asked().request.project == project && !is_over(sandbox->state())) living.push_back(sandbox);
  }
  return living;
}

void Sandboxes::destroy_all() {
  for (const auto& [id, sandbox] : std::map(sandboxes_)) {
    if (may_ask(sandbox->state(), SandboxRequest::destroy)) sandbox->destroy(WhyDestroyed::shutdown);
  }
}

void Sandboxes::count(Metrics::Now& now) const {
  for (const auto& [id, sandbox] : sandboxes_) ++now.sandboxes[sandbox->state()];
}

void Sandboxes::create(const SharedCall& call) {
  with_body(call, [this, call](const JsonObject& body) {
    Result<AskedSandbox> asked = parse_sandbox(body);
    if (!asked) return answer_problem(*call, 400, asked.error().text);
    const bool completed = !asked->configuration.empty();
    const auto refuse = [&] {
      const std::string why = call->client.why_not(asked->request);
      if (!why.empty()) answer_problem(*call, 403, why);
      return !why.empty();
    };
    if (!completed && refuse()) return;
    const auto key = find_request_key(call, history_);
    if (!key) return;
    if (!key->made.empty()) return answer_again(call, key->made);
    if (completed) {
      std::optional<AskedSandbox> whole = configurations_.complete(call, body, *asked);
      if (!whole) return;
      asked = std::move(*whole);
      if (refuse()) return;
    }
    begin(call, std::move(*asked), *key);
  });
}

// One task has one living sandbox: asking for it again gives that.
void Sandboxes::begin(const SharedCall& call, AskedSandbox asked, const RequestKey& key) {
  const std::string& task = asked.request.task_id;
  for (const auto& [id, sandbox] : sandboxes_) {
    if (task.empty() || sandbox->asked().request.task_id != task || is_over(sandbox->state())) continue;
    if (!sees(*call, *sandbox))
      return answer_problem(*call, 409, "the task '" + task + "' has a sandbox of another user");
    if (sandbox->state() == SandboxState::stopping)
      return answer_problem(*call, 409,
                            "the sandbox of task '" + task + "' is stopping: ask again when it is gone");
    if (!same(sandbox->asked(), asked))
      return answer_problem(*call, 409,
                            "the task '" + task + "' has the sandbox '" + id + "', made in another way");
    const auto there = sandbox;
    if (const auto noted = key.with_id(id)) history_.put_key(*noted);
    metrics_.note_reuse();
    return there->when_settled([call, there] { answer_made(call, *there, 200); });
  }
  auto asker = asker_of(*call);
  if (!asker) return;
  const std::string id = new_run_id();
  asked.request.sandbox_name = sandbox_name(asked.request.project, task, [this](const std::string& name) {
    return std::ranges::any_of(sandboxes_, [&](const auto& entry) {
      return entry.second->asked().request.sandbox_name == name && !is_over(entry.second->state());
    });
  });
  const auto place = std::make_shared<Admission::Place>();
  bool warm = false;
  auto control = start(asked.request, call->client, asker->peer(), *place, warm);
  if (!control) return answer_refusal(*call, control.error());
  const auto sandbox =
      std::make_shared<LiveSandbox>(loop_, id, std::move(asked), call->client.owner(), std::move(*control));
  if (warm) {
    const auto kept = std::make_shared<Asker>(std::move(*asker));
    sandbox->is_from_pool([this, kept, made = sandbox.get()](std::int64_t why) {
      if (why == ESTALE) pool_.note_stale(made->asked().request);
      if (why == LiveSandbox::kDied) keepers_.note_lost();
      return keepers_.create(made->asked().request, kept->peer());
    });
  }
  const auto begun = sandbox->begin([this, place, id, made = sandbox.get()] {
    if (made->lost_keeper()) keepers_.note_lost();
    loop_.post([this, id] { bury(id); });
    place->leave();
  });
  if (!begun) return answer_problem(*call, 503, begun.error().text);
  sandboxes_[id] = sandbox;
  if (const auto noted = key.with_id(id)) history_.put_key(*noted);
  const auto asked_at = std::chrono::steady_clock::now();
  sandbox->when_settled([this, asked_at, call, sandbox] {
    metrics_.note_creation(sandbox->state() != SandboxState::failed,
                           std::chrono::steady_clock::now() - asked_at);
    // Nothing was made: the same request may try again.
    if (sandbox->state() == SandboxState::failed) history_.forget_keys_of(sandbox->id());
    answer_made(call, *sandbox, 201);
  });
}

void Sandboxes::bury(const std::string& id) {
  constexpr std::size_t kMostOver = 256;
  const auto found = sandboxes_.find(id);
  if (found == sandboxes_.end()) return;
  over_.push_back(std::move(found->second));
  sandboxes_.erase(found);
  if (over_.size() > kMostOver) over_.pop_front();
}

// One that is there already, if there is one as it is asked for; else it is made.
Result<UniqueFd, Admission::Refusal> Sandboxes::start(const RunRequest& request, const Client& client,
                                                      const Peer& peer, Admission::Place& place, bool& warm) {
  if (auto taken = pool_.take(request, peer)) {
    place = std::move(taken->place);
    warm = true;
    return std::move(taken->control);
  }
  // It does not wait: who knows when another one ends.
  auto admitted = admission_.take({client.owner(), policies_.of(request, admission_.limits())});
  if (!admitted) return tl::make_unexpected(admitted.error());
  place = std::move(*admitted);
  auto control = keepers_.create(request, peer);
  if (!control) return tl::make_unexpected(Admission::Refusal{503, control.error().text});
  return std::move(*control);
}

void Sandboxes::answer_again(const SharedCall& call, const std::string& id) const {
  const auto found = sandboxes_.find(id);
  if (found == sandboxes_.end() || is_over(found->second->state()))
    return answer_problem(*call, 410, "the sandbox '" + id + "', made for this Idempotency-Key, is gone");
  found->second->when_settled(
      [call, sandbox = found->second] { answer_made(call, *sandbox, 201, {kReplayed}); });
}

// By its id, or while it lives by "task:" and that.
std::shared_ptr<LiveSandbox> Sandboxes::find(const SharedCall& call) const {
  const std::string& name = call->parts.front();
  for (const auto& [id, sandbox] : sandboxes_) {
    const std::string& task = sandbox->asked().request.task_id;
    if (name != id && (task.empty() || name != "task:" + task)) continue;
    if (sees(*call, *sandbox)) return sandbox;
  }
  for (const auto& sandbox : over_) {
    if (name == sandbox->id() && sees(*call, *sandbox)) return sandbox;
  }
  answer_problem(*call, 404, "there is no sandbox '" + name + "'");
  return nullptr;
}

std::shared_ptr<LiveSandbox> Sandboxes::find(const SharedCall& call, SandboxRequest request) const {
  auto sandbox = find(call);
  if (!sandbox || may_ask(sandbox->state(), request)) return sandbox;
  answer_problem(*call, 409, "the sandbox is " + std::string(state_name(sandbox->state())));
  return nullptr;
}

// Those that the query is about and the client sees, by their ids; over ones only where a state is asked for.
// One more than a page shows there are more.
std::vector<std::shared_ptr<LiveSandbox>> Sandboxes::page_of(const Call& call,
                                                             const SandboxFilter& filter) const {
  std::vector<std::shared_ptr<LiveSandbox>> page;
  const auto take = [&](const std::shared_ptr<LiveSandbox>& sandbox) {
    if (sandbox->id() > filter.behind && sees(call, *sandbox) && filter.fits(*sandbox))
      page.push_back(sandbox);
  };
  for (const auto& [id, sandbox] : sandboxes_) take(sandbox);
  if (filter.state) std::ranges::for_each(over_, take);
  std::ranges::sort(page, {}, [](const auto& sandbox) { return sandbox->id(); });
  if (page.size() > filter.limit) page.resize(filter.limit + 1);
  return page;
}

void Sandboxes::list(const SharedCall& call) const {
  const auto filter = parse_sandbox_list(call->request);
  if (!filter) return answer_problem(*call, 400, filter.error().text);
  auto page = page_of(*call, *filter);
  const OrderedJson next = next_cursor(page, filter->limit);
  OrderedJson list = OrderedJson::array();
  for (const auto& sandbox : page) list.push_back(OrderedJson(sandbox->describe()));
  answer_json(*call, 200, {{"sandboxes", std::move(list)}, {"next_cursor", next}});
}

// As they are listed, with what they use now. One that ends meanwhile is left out.
void Sandboxes::stats_of_several(const SharedCall& call) const {
  const auto filter = parse_sandbox_list(call->request);
  if (!filter) return answer_problem(*call, 400, filter.error().text);
  auto page = page_of(*call, *filter);
  const OrderedJson next = next_cursor(page, filter->limit);
  const auto told = std::make_shared<std::map<std::string, Json>>();
  // The answer, when the last one that holds it has told its own.
  const std::shared_ptr<void> all(nullptr, [call, told, next](void*) {
    OrderedJson list = OrderedJson::array();
    for (const auto& [id, sandbox] : *told) list.push_back(OrderedJson(sandbox));
    answer_json(*call, 200, {{"sandboxes", std::move(list)}, {"next_cursor", next}});
  });
  for (const auto& sandbox : page) {
    if (!may_ask(sandbox->state(), SandboxRequest::stats)) continue;
    sandbox->stats([told, all, weak = std::weak_ptr(sandbox)](const Result<Json>& stats) {
      const auto known = weak.lock();
      if (!stats || !known) return;
      Json& entry = (*told)[known->id()];
      entry = known->describe();
      entry.update(*stats);
    });
  }
}

// All that it sees and that the query is about. It has to be about something: a slip is not the end of all.
void Sandboxes::destroy_several(const SharedCall& call) const {
  const auto filter = parse_sandbox_filter(call->request);
  if (!filter) return answer_problem(*call, 400, filter.error().text);
  if (call->request.query.empty())
    return answer_problem(*call, 400,
                          "say which ones: project_id, task_id, state or label; all: label=sbx.managed=true");
  const auto asker = asker_of(*call);
  if (!asker) return;
  const auto gone = std::make_shared<Json>(Json::array());
  // The answer, when the last one that holds it is gone.
  const std::shared_ptr<void> all(nullptr, [call, gone](void*) {
    answer_json(*call, 200, {{"destroyed", *gone}});
  });
  for (const auto& [id, sandbox] : std::map(sandboxes_)) {
    if (!sees(*call, *sandbox) || !filter->fits(*sandbox) ||
        !may_ask(sandbox->state(), SandboxRequest::destroy))
      continue;
    sandbox->when_over([gone, all, id = id] { gone->push_back(id); });
    sandbox->destroy(WhyDestroyed::asked, asker->peer());
  }
}

void Sandboxes::get(const SharedCall& call) const {
  if (const auto sandbox = find(call)) answer_json(*call, 200, sandbox->describe());
}

}  // namespace sbx::api
