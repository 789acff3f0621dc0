// What projects store under names to make sandboxes with.
#pragma once

#include <string>
#include <vector>

#include "api/configuration_table.h"
#include "api/history.h"
#include "api/host_queries.h"
#include "api/parse_request.h"
#include "api/router.h"

namespace sbx::api {

class Configurations {
 public:
  Configurations(http::Loop& loop, Keepers& keepers, History& history)
      : history_(history), queries_(loop, keepers) {}
  void add_routes(Router& router);

  // Of the project, those that the client sees.
  Result<std::vector<std::string>> names_of(const SharedCall& call, const std::string& project) const;
  // Its project has another name; or is no more.
  Result<void> move_all(const std::string& project, const std::string& new_project) const;
  Result<void> remove_all(const std::string& project) const;

  // The sandbox that the body asks for, with what it lacks from the configuration that it names. Nothing: it
  // has its answer.
  std::optional<AskedSandbox> complete(const SharedCall& call, const JsonObject& body,
                                       const AskedSandbox& asked) const;

 private:
  void put(const SharedCall& call);
  void get(const SharedCall& call) const;
  void list(const SharedCall& call) const;
  void remove(const SharedCall& call);
  void store(const SharedCall& call, const JsonObject& body);
  // What was done with the configuration that the path names; `then`, whatever comes of it.
  void record(const SharedCall& call, ProjectAction done, std::function<void()> then);
  // Also one that the client does not see.
  Result<std::optional<Configuration>> find(const std::string& project, const std::string& name) const;
  // That the path names. Nothing: it has its answer.
  std::optional<Configuration> find_seen(const SharedCall& call) const;

  History& history_;
  HostQueries queries_;
};

}  // namespace sbx::api
