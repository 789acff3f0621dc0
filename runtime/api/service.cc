#include "api/service.h"

#include "api/file_routes.h"
#include "api/health.h"
#include "base/times.h"

namespace sbx::api {

Service::Service(http::Loop& loop, Keepers& keepers, Metrics& metrics,
                 std::chrono::milliseconds cleanup_interval, ServiceSettings settings,
                 const ServicePlaces& places, History::Say say)
    : metrics_(metrics),
      gate_(std::move(settings.gate)),
      admission_([&loop](std::function<void()> then) { loop.post(std::move(then)); }, settings.limits),
      policies_(std::move(settings.policies)),
      pool_(loop, keepers, admission_, policies_),
      guests_(loop),
      output_(places.output),
      history_(places.history, settings.history, output_, std::move(say)),
      configurations_(loop, keepers, history_),
      runs_(loop, keepers, admission_, metrics, policies_, history_, output_),
      sandboxes_(loop, keepers, admission_, metrics, policies_, pool_, guests_, history_, configurations_,
                 runs_),
      images_(loop),
      host_(loop, keepers, metrics, images_, cleanup_interval),
      projects_(loop, keepers, configurations_, runs_, sandboxes_),
      project_files_(loop, keepers) {
  pool_.set(settings.pool);
  add_health_routes(router_, admission_, history_, images_, host_);
  runs_.add_routes(router_);
  sandboxes_.add_routes(router_);
  configurations_.add_routes(router_);
  host_.add_routes(router_);
  projects_.add_routes(router_);
  project_files_.add_routes(router_);
  router_.add("GET", "/v1/metrics", [this](const SharedCall& call) {
    call->exchange->respond(
        {200, {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}}, metrics_.prometheus(now())});
  });
  router_.add("GET", "/v1/stats", [this](const SharedCall& call) {
    call->exchange->respond({200, {{"Content-Type", "application/json"}}, metrics_.json(now())});
  });
  router_.add("GET", "/v1/pool",
              [this](const SharedCall& call) { answer_json(*call, 200, pool_.describe()); });
  add_file_routes(router_, loop, sandboxes_);
}

void Service::handle(http::Request request, std::shared_ptr<http::Exchange> exchange) {
  const auto call = std::make_shared<Call>(Call{std::move(request), std::move(exchange), {}, {}, {}});
  auto client = gate_.look(call->request, RateLimit::Clock::now(), utc_ms());
  if (!client) {
    const Gate::Refusal& refusal = client.error();
    return answer_problem(*call, refusal.status, refusal.why, refusal.headers);
  }
  call->client = std::move(*client);
  for (const char* name : {"wait", "output"}) {
    const auto flag = flag_of(call->request, name);
    if (!flag) return answer_problem(*call, 400, flag.error().text);
  }
  router_.handle(call);
}

void Service::set(ServiceSettings settings) {
  gate_.set(std::move(settings.gate));
  policies_ = std::move(settings.policies);
  admission_.set(settings.limits);
  pool_.set(settings.pool);
}

Metrics::Now Service::now() const {
  Metrics::Now now;
  runs_.count(now);
  sandboxes_.count(now);
  now.pool_ready = pool_.ready();
  now.pool_hits = pool_.hits();
  now.pool_misses = pool_.misses();
  now.keepers = admission_.alive();
  now.most_keepers = admission_.limits().sandboxes;
  return now;
}

void Service::stop(std::function<void()> then) {
  pool_.stop();
  guests_.forget_all();
  sandboxes_.destroy_all();
  runs_.cancel_all();
  admission_.stop(std::move(then));
}

}  // namespace sbx::api
