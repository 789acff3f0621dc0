// What the host has: images, languages, what it can enforce; and the sweep of what killed runs left.
#pragma once

#include "api/host_queries.h"
#include "api/metrics.h"
#include "api/prepared_images.h"
#include "api/router.h"

namespace sbx::api {

class HostRoutes {
 public:
  // `interval`: after each, what has no owner is swept; 0: only when it is asked for.
  HostRoutes(http::Loop& loop, Keepers& keepers, Metrics& metrics, const PreparedImages& prepared,
             std::chrono::milliseconds interval);
  void add_routes(Router& router);

 private:
  void list_images(const SharedCall& call, std::function<void(OrderedJson)> then);
  void images(const SharedCall& call);
  void image(const SharedCall& call);
  void languages(const SharedCall& call);
  void capabilities(const SharedCall& call);
  void clean_up(const SharedCall& call);
  void sweep_later();
  void sweep(const HostQueries::Then& then);

  http::Loop& loop_;
  HostQueries queries_;
  Metrics& metrics_;
  const PreparedImages& prepared_;
  std::chrono::milliseconds interval_;
  http::Timer timer_;
};

}  // namespace sbx::api
