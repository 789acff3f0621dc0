// The API: what it answers to each request. Everything happens in the one loop of the process.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/keepers.h"
#include "api/live_sandbox.h"
#include "api/run.h"
#include "http/exchange.h"
#include "http/loop.h"
#include "http/message.h"

namespace sbx::api {

// A request on its way through: what was asked, how it is answered, and the parts of its path.
struct Call {
  http::Request request;
  std::shared_ptr<http::Exchange> exchange;
  std::vector<std::string> parts;  // those that stand for {…} in the route
};

struct ServiceLimits {
  std::size_t sandboxes = 256;             // alive at once, runs included
  std::size_t finished_runs = 10'000;      // that are remembered
  std::uint64_t kept_bytes = 1ULL << 30U;  // of their output
};

class Service {
 public:
  Service(http::Loop& loop, Keepers& keepers, ServiceLimits limits);
  void handle(http::Request request, std::shared_ptr<http::Exchange> exchange);

  // Ends every sandbox and calls `then` when they are gone.
  void stop(std::function<void()> then);

 private:
  using Shared = std::shared_ptr<Call>;
  struct Route {
    std::string_view method;
    std::string_view path;  // "/v1/runs/{id}"
    void (Service::*handler)(const Shared&);
  };
  static const std::vector<Route>& routes();

  // health.cc
  void get_live(const Shared& call);
  void get_ready(const Shared& call);
  void get_version(const Shared& call);
  // runs.cc
  void create_run(const Shared& call);
  void list_runs(const Shared& call);
  void get_run(const Shared& call);
  void cancel_run(const Shared& call);
  void get_output(const Shared& call);
  void get_events(const Shared& call);
  void begin_run(const Shared& call, AskedRun asked, LiveSandbox* sandbox);
  void answer_run(const Shared& call, const std::shared_ptr<Run>& run);
  void answer_when_ended(const Shared& call, const std::shared_ptr<Run>& run);
  std::shared_ptr<Run> find_run(const Shared& call);
  void connect(const Shared& call);
  // sandboxes.cc
  void create_sandbox(const Shared& call);
  void list_sandboxes(const Shared& call);
  void get_sandbox(const Shared& call);
  void destroy_sandbox(const Shared& call);
  void exec_in_sandbox(const Shared& call);
  void pause_sandbox(const Shared& call);
  void resume_sandbox(const Shared& call);
  void stop_sandbox(const Shared& call);
  void get_stats(const Shared& call);
  void begin_sandbox(const Shared& call, AskedSandbox asked);
  std::shared_ptr<LiveSandbox> find_sandbox(const Shared& call, SandboxRequest request);
  std::shared_ptr<LiveSandbox> find_sandbox(const Shared& call);
  void answer_sandbox(const Shared& call, const LiveSandbox& sandbox, int status);

  [[nodiscard]] std::size_t alive() const;
  bool admit(const Shared& call);
  void forget_old_runs();
  void check_stopped();

  http::Loop& loop_;
  Keepers& keepers_;
  ServiceLimits limits_;
  std::map<std::string, std::shared_ptr<Run>, std::less<>> runs_;  // by id, so by time
  std::size_t running_ = 0;
  std::uint64_t kept_bytes_ = 0;
  std::map<std::string, std::shared_ptr<LiveSandbox>, std::less<>> sandboxes_;
  std::function<void()> stopped_;
};

// --- for the handlers ----------------------------------------------------------------------------------

void answer_json(Call& call, int status, const Json& json, std::vector<http::Header> headers = {});
void answer_problem(Call& call, int status, std::string_view detail);
// Whether who asks may see what `uid` made: root sees all.
bool may_see(const Call& call, std::uint32_t uid);
// The body as an object; where it is none, that is answered.
void with_body(const std::shared_ptr<Call>& call, std::function<void(const JsonObject&)> then);

}  // namespace sbx::api
