#include "api/router.h"

#include <algorithm>
#include <iterator>

#include "api/gate.h"
#include "base/printable.h"
#include "base/suggest.h"

namespace sbx::api {
namespace {

std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    parts.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return parts;
}

// With what stands for {…}; false: it is another path.
bool matches(std::string_view route, std::string_view path, std::vector<std::string>& found) {
  const auto wanted = parts_of(route);
  const auto given = parts_of(path);
  if (wanted.size() != given.size()) return false;
  found.clear();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].starts_with('{')) {
      found.emplace_back(given[i]);
    } else if (wanted[i] != given[i]) {
      return false;
    }
  }
  return true;
}

// Empty: none is.
std::string unknown_parameter(const Router::Route& route, const http::Request& request) {
  if (route.checks_parameters) return {};
  for (const auto& [name, value] : request.query) {
    if (std::ranges::find(route.parameters, name) != route.parameters.end()) continue;
    const std::string what = "'" + printable(name.substr(0, 64)) + "' is not known: ";
    return what + (route.parameters.empty() ? "this takes no parameters" : suggest(name, route.parameters));
  }
  return {};
}

}  // namespace

Router::Route& Router::add(std::string method, std::string path, Handler handler) {
  const Scope scope = method == "GET" ? Scope::read : Scope::run;
  return add(std::move(method), std::move(path), std::move(handler), scope);
}

Router::Route& Router::add(std::string method, std::string path, Handler handler, Scope scope) {
  return routes_.emplace_back(Route{{std::move(method), std::move(path), scope}, std::move(handler)});
}

std::vector<Router::Address> Router::addresses() const {
  std::vector<Address> addresses;
  std::ranges::transform(routes_, std::back_inserter(addresses), &Route::address);
  return addresses;
}

void Router::handle(const SharedCall& call) const {
  const std::string& asked = call->request.method;
  const std::string_view method = asked == "HEAD" ? std::string_view("GET") : std::string_view(asked);
  std::string allowed;
  for (const Route& route : routes_) {
    const Address& address = route.address;
    if (!matches(address.path, call->request.path, call->parts)) continue;
    if (address.method == method) {
      if (const std::string why = unknown_parameter(route, call->request); !why.empty())
        return answer_problem(*call, 400, why);
      if (call->client.may(address.scope)) return route.handler(call);
      const Gate::Refusal refusal = Gate::lacks(call->client, address.scope);
      return answer_problem(*call, refusal.status, refusal.why, refusal.headers);
    }
    allowed += (allowed.empty() ? "" : ", ") + address.method;
  }
  const std::string& path = call->request.path;
  if (allowed.empty())
    return answer_problem(*call, 404, "nothing is at '" + path + "'; docs/api.md has what is");
  answer_problem(*call, 405, asked + " is not for '" + path + "': " + allowed + " is", {{"Allow", allowed}});
}

}  // namespace sbx::api
