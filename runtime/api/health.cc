#include "api/health.h"

namespace sbx::api {

void add_health_routes(Router& router, const Admission& admission, const History& history,
                       const PreparedImages& images) {
  router.add("GET", "/v1/health/live", [](const SharedCall& call) {
    answer_json(*call, 200, {{"status", "live"}});
  });
  router.add("GET", "/v1/health/ready", [&admission, &history, &images](const SharedCall& call) {
    if (admission.stopping()) return answer_problem(*call, 503, "the supervisor is being stopped");
    const std::string& problem = history.problem();
    answer_json(*call, 200,
                {{"status", "ready"},
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
                   {"lost", history.lost()}}}});
  });
  router.add("GET", "/v1/version", [](const SharedCall& call) {
    answer_json(*call, 200, {{"version", SBX_VERSION}, {"api", "v1"}});
  });
}

}  // namespace sbx::api
