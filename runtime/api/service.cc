#include "api/service.h"

#include <algorithm>
#include <csignal>

#include "base/times.h"

namespace sbx::api {
namespace {

constexpr std::size_t kMostBody = 8U << 20U;

std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    parts.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return parts;
}

// With what stands for {…}; false: it is another path.
bool matches(std::string_view route, std::string_view path, std::vector<std::string>& found) {
  const auto wanted = parts_of(route);
  const auto given = parts_of(path);
  if (wanted.size() != given.size()) return false;
  found.clear();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].starts_with('{')) {
      found.emplace_back(given[i]);
    } else if (wanted[i] != given[i]) {
      return false;
    }
  }
  return true;
}

}  // namespace

void answer_json(Call& call, int status, const Json& json, std::vector<http::Header> headers) {
  headers.push_back({"Content-Type", "application/json"});
  call.exchange->respond(
      {status, std::move(headers), json.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n"});
}

// In one line of text for who asks for that.
void answer_problem(Call& call, int status, std::string_view detail) {
  const std::string* accepted = call.request.header("Accept");
  if (accepted == nullptr || *accepted != "text/plain")
    return call.exchange->respond(http::problem(status, detail));
  call.exchange->respond(
      {status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::string(detail) + "\n"});
}

bool may_see(const Call& call, std::uint32_t uid) {
  return call.request.peer.uid == 0 || call.request.peer.uid == uid;
}

void with_body(const std::shared_ptr<Call>& call, std::function<void(const JsonObject&)> then) {
  call->exchange->read_body(kMostBody, [call, then = std::move(then)](Result<std::string> body) {
    if (!body) return;  // it has its answer
    const Result<JsonObject> object = JsonObject::parse(*body);
    if (!object) return answer_problem(*call, 400, object.error().text);
    then(*object);
  });
}

Service::Service(http::Loop& loop, Keepers& keepers, ServiceLimits limits)
    : loop_(loop), keepers_(keepers), limits_(limits) {}

const std::vector<Service::Route>& Service::routes() {
  static const std::vector<Route> kRoutes{
      {"GET", "/v1/health/live", &Service::get_live},
      {"GET", "/v1/health/ready", &Service::get_ready},
      {"GET", "/v1/version", &Service::get_version},
      {"POST", "/v1/runs", &Service::create_run},
      {"GET", "/v1/runs", &Service::list_runs},
      {"GET", "/v1/runs/{run}", &Service::get_run},
      {"DELETE", "/v1/runs/{run}", &Service::cancel_run},
      {"GET", "/v1/runs/{run}/output", &Service::get_output},
      {"GET", "/v1/runs/{run}/events", &Service::get_events},
      {"GET", "/v1/connect", &Service::connect},
      {"GET", "/v1/sandboxes/{sandbox}/connect", &Service::connect},
      {"POST", "/v1/sandboxes", &Service::create_sandbox},
      {"GET", "/v1/sandboxes", &Service::list_sandboxes},
      {"GET", "/v1/sandboxes/{sandbox}", &Service::get_sandbox},
      {"DELETE", "/v1/sandboxes/{sandbox}", &Service::destroy_sandbox},
      {"POST", "/v1/sandboxes/{sandbox}/exec", &Service::exec_in_sandbox},
      {"POST", "/v1/sandboxes/{sandbox}/pause", &Service::pause_sandbox},
      {"POST", "/v1/sandboxes/{sandbox}/resume", &Service::resume_sandbox},
      {"POST", "/v1/sandboxes/{sandbox}/stop", &Service::stop_sandbox},
      {"GET", "/v1/sandboxes/{sandbox}/stats", &Service::get_stats},
  };
  return kRoutes;
}

void Service::handle(http::Request request, std::shared_ptr<http::Exchange> exchange) {
  const auto call = std::make_shared<Call>(Call{std::move(request), std::move(exchange), {}});
  const std::string& asked = call->request.method;
  const std::string_view method = asked == "HEAD" ? std::string_view("GET") : std::string_view(asked);
  std::string allowed;
  for (const Route& route : routes()) {
    if (!matches(route.path, call->request.path, call->parts)) continue;
    if (route.method == method) return (this->*route.handler)(call);
    allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
  }
  if (allowed.empty())
    return answer_problem(*call, 404,
                          "nothing is at '" + call->request.path + "'; docs/openapi.yaml has what is");
  http::Response response =
      http::problem(405, asked + " is not for '" + call->request.path + "': " + allowed + " is");
  response.headers.push_back({"Allow", allowed});
  call->exchange->respond(std::move(response));
}

// --- how much there is ---------------------------------------------------------------------------------

std::size_t Service::alive() const {
  const auto lives = [](const auto& entry) { return !is_over(entry.second->state()); };
  return running_ + static_cast<std::size_t>(std::ranges::count_if(sandboxes_, lives));
}

bool Service::admit(const Shared& call) {
  if (stopped_) {
    answer_problem(*call, 503, "the supervisor is being stopped");
    return false;
  }
  if (alive() < limits_.sandboxes) return true;
  http::Response response = http::problem(429, "there are " + std::to_string(limits_.sandboxes) +
                                                   " sandboxes, the most of this host (max_sandboxes)");
  response.headers.push_back({"Retry-After", "1"});
  call->exchange->respond(std::move(response));
  return false;
}

void Service::forget_old_runs() {
  const auto too_much = [this] {
    return runs_.size() > limits_.finished_runs || kept_bytes_ > limits_.kept_bytes;
  };
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

void Service::stop(std::function<void()> then) {
  stopped_ = std::move(then);
  for (const auto& [id, sandbox] : std::map(sandboxes_)) {
    if (may_ask(sandbox->state(), SandboxRequest::destroy)) sandbox->destroy();
  }
  for (const auto& [id, run] : std::map(runs_)) {
    if (!run->ended()) run->signal(SIGTERM);
  }
  check_stopped();
}

void Service::check_stopped() {
  if (stopped_ && alive() == 0) loop_.post(stopped_);
}

}  // namespace sbx::api
