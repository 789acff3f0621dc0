// The files of projects (docs/api.md, "Files of a project"): what sbx-projects does with them, in the name of
// who calls.
#pragma once

#include <memory>

#include "api/host_queries.h"
#include "api/project_file_transfer.h"
#include "api/router.h"

namespace sbx::api {

class ProjectFileRoutes {
 public:
  ProjectFileRoutes(http::Loop& loop, Keepers& keepers)
      : queries_(loop, keepers), transfers_(loop, keepers) {}
  void add_routes(Router& router);

 private:
  void operate(const SharedCall& call, FileOperation operation);
  void list(const SharedCall& call);
  void fetch(const SharedCall& call);
  void upload(const SharedCall& call);
  void extract(const SharedCall& call);
  void check(const SharedCall& call);

  // `then` gets what sbx-projects says, if it is no problem.
  void ask(const SharedCall& call, const ProjectQuestion& question,
           std::function<void(const OrderedJson&)> then);

  HostQueries queries_;
  ProjectTransfers transfers_;
};

}  // namespace sbx::api
