// The API: what it answers to each request. Everything happens in the one loop of the process.
#pragma once

#include <functional>
#include <memory>

#include "api/admission.h"
#include "api/configurations.h"
#include "api/gate.h"
#include "api/history.h"
#include "api/host_routes.h"
#include "api/keepers.h"
#include "api/metrics.h"
#include "api/policy_memory.h"
#include "api/pool.h"
#include "api/prepared_images.h"
#include "api/project_file_routes.h"
#include "api/project_routes.h"
#include "api/router.h"
#include "api/runs.h"
#include "api/sandboxes.h"
#include "http/loop.h"

namespace sbx::api {

struct ServiceSettings {
  GateSettings gate;
  Admission::Limits limits;
  PolicyMemory policies;
  PoolSettings pool;
  HistoryLimits history;  // from the start on
};

// Where what outlives the process is.
struct ServicePlaces {
  std::string history;
  std::string output;
};

class Service {
 public:
  // `say` gets what an administrator has to know, in lines.
  // `cleanup_interval`: between two sweeps; 0: only when it is asked for.
  Service(http::Loop& loop, Keepers& keepers, Metrics& metrics, std::chrono::milliseconds cleanup_interval,
          ServiceSettings settings, const ServicePlaces& places, History::Say say);
  void handle(http::Request request, std::shared_ptr<http::Exchange> exchange);
  // In force from the next request on.
  void set(ServiceSettings settings);

  // The host has too little memory.
  void drain_pool() { pool_.drain(); }

  [[nodiscard]] const Router& router() const { return router_; }
  [[nodiscard]] PreparedImages& images() { return images_; }

  // Ends every sandbox and calls `then` when they are gone.
  void stop(std::function<void()> then);

 private:
  [[nodiscard]] Metrics::Now now() const;

  Metrics& metrics_;
  Gate gate_;
  Admission admission_;
  PolicyMemory policies_;
  Pool pool_;
  Guests guests_;
  KeptOutput output_;
  History history_;
  Configurations configurations_;
  Runs runs_;
  Sandboxes sandboxes_;
  PreparedImages images_;
  HostRoutes host_;
  ProjectRoutes projects_;
  ProjectFileRoutes project_files_;
  Router router_;
};

}  // namespace sbx::api
