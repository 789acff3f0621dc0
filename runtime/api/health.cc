#include "api/service.h"

namespace sbx::api {

// The process answers.
void Service::get_live(const Shared& call) { answer_json(*call, 200, {{"status", "live"}}); }

// It takes work.
void Service::get_ready(const Shared& call) {
  if (stopped_) return answer_problem(*call, 503, "the supervisor is being stopped");
  answer_json(*call, 200,
              {{"status", "ready"}, {"sandboxes", alive()}, {"max_sandboxes", limits_.sandboxes}});
}

void Service::get_version(const Shared& call) {
  answer_json(*call, 200, {{"version", SBX_VERSION}, {"api", "v1"}});
}

}  // namespace sbx::api
