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
  HostRoutes(http::Loop& loop, Keepers& keepers, Metrics& metrics, PreparedImages& prepared,
             std::chrono::milliseconds interval);
  void add_routes(Router& router);

  // Has what is known of the images be what the store has now. Error: nobody can look.
  void look_at_images(std::function<void(Result<void>)> then);

 private:
  void list_images(const SharedCall& call, std::function<void(OrderedJson)> then);
  void images(const SharedCall& call);
  void image(const SharedCall& call);
  void languages(const SharedCall& call);
  void capabilities(const SharedCall& call);
  void clean_up(const SharedCall& call);
  void sweep_later();
  // The lists of projects' files; `then` gets what differed; null: that could not be told.
  void check_files(const std::function<void(OrderedJson)>& then);
  void sweep(const HostQueries::Then& then);

  http::Loop& loop_;
  HostQueries queries_;
  Metrics& metrics_;
  PreparedImages& prepared_;
  std::chrono::milliseconds interval_;
  http::Timer timer_;
  http::Timer first_check_;
};

}  // namespace sbx::api
