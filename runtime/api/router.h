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
  // `path`: "/v1/runs/{run}"; what stands for {…} comes as Call::parts. Who asks needs the scope `read` for
  // GET and `run` for all else; a GET that changes something has to say so.
  void add(std::string method, std::string path, Handler handler);
  void add(std::string method, std::string path, Handler handler, Scope scope);
  struct Address {
    std::string method;
    std::string path;
    Scope scope = Scope::admin;
  };
  [[nodiscard]] std::vector<Address> addresses() const;
  // 403, 404 and 405 (with Allow) are answered here. HEAD is a GET.
  void handle(const SharedCall& call) const;

 private:
  struct Route {
    Address address;
    Handler handler;
  };
  std::vector<Route> routes_;
};

}  // namespace sbx::api
