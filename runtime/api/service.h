// The API: what it answers to each request. Everything happens in the one loop of the process.
#pragma once

#include <functional>
#include <memory>

#include "api/admission.h"
#include "api/keepers.h"
#include "api/router.h"
#include "api/runs.h"
#include "api/sandboxes.h"
#include "http/loop.h"

namespace sbx::api {

struct ServiceLimits {
  std::size_t sandboxes = 256;  // alive at once, runs included
  KeptRuns kept;
};

class Service {
 public:
  Service(http::Loop& loop, Keepers& keepers, const ServiceLimits& limits);
  void handle(http::Request request, std::shared_ptr<http::Exchange> exchange) const {
    router_.handle(std::move(request), std::move(exchange));
  }

  // Ends every sandbox and calls `then` when they are gone.
  void stop(std::function<void()> then);

 private:
  Admission admission_;
  Runs runs_;
  Sandboxes sandboxes_;
  Router router_;
};

}  // namespace sbx::api
