#include "api/service.h"

#include "api/file_routes.h"
#include "api/health.h"

namespace sbx::api {

Service::Service(http::Loop& loop, Keepers& keepers, const ServiceLimits& limits, const ServicePlaces& places,
                 History::Say say)
    : admission_(loop, limits.sandboxes),
      output_(places.output),
      history_(places.history, limits.history, output_, std::move(say)),
      runs_(loop, keepers, admission_, history_, output_),
      sandboxes_(loop, keepers, admission_, history_, runs_) {
  add_health_routes(router_, admission_, history_);
  runs_.add_routes(router_);
  sandboxes_.add_routes(router_);
  add_file_routes(router_, loop, sandboxes_);
}

void Service::stop(std::function<void()> then) {
  sandboxes_.destroy_all();
  runs_.cancel_all();
  admission_.stop(std::move(then));
}

}  // namespace sbx::api
