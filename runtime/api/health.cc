#include "api/health.h"

namespace sbx::api {

namespace {

OrderedJson describe(const Admission& admission, const History& history, const PreparedImages& images) {
  const std::string& problem = history.problem();
  return {{"status", "ready"},
          {"sandboxes", admission.alive()},
          {"max_sandboxes", admission.limits().sandboxes},
          {"memory_bytes", admission.memory_bytes()},
          {"queued", admission.waiting()},
          {"images", images.describe()},
          {"history",
           {{"runs", history.totals().runs},
            {"bytes", history.totals().bytes},
            {"problem", problem.empty() ? OrderedJson(nullptr) : OrderedJson(problem)},
            {"unwritten", history.unwritten()},
            {"lost", history.lost()}}}};
}

}  // namespace

void add_health_routes(Router& router, const Admission& admission, const History& history,
                       const PreparedImages& images, HostRoutes& host) {
  router.add("GET", "/v1/health/live", [](const SharedCall& call) {
    answer_json(*call, 200, {{"status", "live"}});
  });
  // Who looks at the images is made as a sandbox is: where that fails, no run would begin.
  router.add("GET", "/v1/health/ready", [&admission, &history, &images, &host](const SharedCall& call) {
    if (admission.stopping()) return answer_problem(*call, 503, "the supervisor is being stopped");
    host.look_at_images([&admission, &history, &images, call](const Result<void>& looked) {
      looked ? answer_json(*call, 200, describe(admission, history, images))
             : answer_problem(*call, 503, looked.error().text, {{"Retry-After", "1"}});
    });
  });
  router.add("GET", "/v1/version", [](const SharedCall& call) {
    answer_json(*call, 200, {{"version", SBX_VERSION}, {"api", "v1"}});
  });
}

}  // namespace sbx::api
