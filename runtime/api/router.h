// Which handler a request is for.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "api/call.h"

namespace sbx::api {

class Router {
 public:
  using Handler = std::function<void(const SharedCall&)>;
  // `path`: "/v1/runs/{run}"; what stands for {…} comes as Call::parts.
  void add(std::string method, std::string path, Handler handler);
  // 404 and 405 (with Allow) are answered here. HEAD is a GET.
  void handle(http::Request request, std::shared_ptr<http::Exchange> exchange) const;

 private:
  struct Route {
    std::string method;
    std::string path;
    Handler handler;
  };
  std::vector<Route> routes_;
};

}  // namespace sbx::api
