// Which handler a request is for.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/call.h"

namespace sbx::api {

class Router {
 public:
  using Handler = std::function<void(const SharedCall&)>;
  // `path`: "/v1/runs/{run}"; what stands for {…} comes as Call::parts. Who asks needs the scope `read` for
  // GET and `run` for all else; a GET that changes something has to say so.
  struct Route;
  Route& add(std::string method, std::string path, Handler handler);
  Route& add(std::string method, std::string path, Handler handler, Scope scope);
  struct Address {
    std::string method;
    std::string path;
    Scope scope = Scope::admin;
  };
  [[nodiscard]] std::vector<Address> addresses() const;
  // 400 (for the query), 403, 404 and 405 (with Allow) are answered here. HEAD is a GET.
  void handle(const SharedCall& call) const;

  struct Route {
    Address address;
    Handler handler;
    std::vector<std::string_view> parameters{};  // of the query; all others are refused
    bool checks_parameters = false;              // the handler does
    void takes(std::vector<std::string_view> names) { parameters = std::move(names); }
    void takes_its_own() { checks_parameters = true; }
  };

 private:
  std::vector<Route> routes_;
};

}  // namespace sbx::api
