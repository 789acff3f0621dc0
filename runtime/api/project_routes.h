// Projects: which there are, what is in them, their transactions and snapshots (docs/api.md). What they are
// is looked up anew each time (projects/answer.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/configurations.h"
#include "api/host_queries.h"
#include "api/router.h"
#include "api/runs.h"
#include "api/sandboxes.h"

namespace sbx::api {

class ProjectRoutes {
 public:
  ProjectRoutes(http::Loop& loop, Keepers& keepers, const Configurations& configurations, Runs& runs,
                Sandboxes& sandboxes)
      : loop_(loop),
        queries_(loop, keepers),
        configurations_(configurations),
        runs_(runs),
        sandboxes_(sandboxes) {}
  void add_routes(Router& router);

 private:
  using Done = std::function<void(Result<std::string>)>;
  void list(const SharedCall& call);
  void show(const SharedCall& call);
  void create(const SharedCall& call);
  void limit(const SharedCall& call);
  void rename(const SharedCall& call);
  void remove(const SharedCall& call);
  void remove_all(const SharedCall& call);
  void take_snapshot(const SharedCall& call);
  void commit(const SharedCall& call);
  void diff(const SharedCall& call);

  // `question` in the name of who calls.
  void ask_as(const SharedCall& call, ProjectQuestion question, const Done& done);
  // `then` gets what it says, if it is no problem.
  void ask(const SharedCall& call, ProjectQuestion question, std::function<void(OrderedJson)> then);
  // What has to be alone with the project. With ?force what runs in it ends first.
  void ask_alone(const SharedCall& call, const ProjectQuestion& question, const Done& done);
  // Why they may not be ended for this client; empty: they may.
  [[nodiscard]] std::string why_not_end(const Call& call, const std::string& project) const;
  void end_all_in(const std::string& project, std::function<void()> then);
  void ask_until_free(const SharedCall& call, const ProjectQuestion& question, const Done& done, int left);
  struct Removal;
  void remove_next(const std::shared_ptr<Removal>& removal);
  [[nodiscard]] OrderedJson with_living(const Call& call, OrderedJson project) const;

  http::Loop& loop_;
  HostQueries queries_;
  const Configurations& configurations_;
  Runs& runs_;
  Sandboxes& sandboxes_;
};

}  // namespace sbx::api
