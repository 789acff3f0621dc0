// Sandboxes of many commands: all that live.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api/admission.h"
#include "api/configurations.h"
#include "api/guests.h"
#include "api/keepers.h"
#include "api/live_sandbox.h"
#include "api/pool.h"
#include "api/router.h"
#include "api/runs.h"
#include "api/sandbox_filter.h"

namespace sbx::api {

class Sandboxes {
 public:
  Sandboxes(http::Loop& loop, Keepers& keepers, Admission& admission, Metrics& metrics,
            const PolicyMemory& policies, Pool& pool, Guests& guests, History& history,
            const Configurations& configurations, Runs& runs)
      : loop_(loop),
        keepers_(keepers),
        admission_(admission),
        metrics_(metrics),
        policies_(policies),
        pool_(pool),
        guests_(guests),
        history_(history),
        configurations_(configurations),
        runs_(runs) {}
  void add_routes(Router& router);
  void destroy_all();
  // That are not over.
  [[nodiscard]] std::vector<std::shared_ptr<LiveSandbox>> in_project(const std::string& project) const;
  static bool sees(const Call& call, const LiveSandbox& sandbox);
  void count(Metrics::Now& now) const;

  // That the path names, by its id, or by "task:" and that. Null: it has its answer.
  std::shared_ptr<LiveSandbox> find(const SharedCall& call) const;
  // The same, if in its state it may be asked for that.
  std::shared_ptr<LiveSandbox> find(const SharedCall& call, SandboxRequest request) const;

 private:
  void create(const SharedCall& call);
  void bury(const std::string& id);
  void begin(const SharedCall& call, AskedSandbox asked, const RequestKey& key);
  Result<UniqueFd, Admission::Refusal> start(const RunRequest& request, const Client& client,
                                             const Peer& peer, Admission::Place& place, bool& warm);
  void answer_again(const SharedCall& call, const std::string& id) const;
  std::vector<std::shared_ptr<LiveSandbox>> page_of(const Call& call, const SandboxFilter& filter) const;
  void list(const SharedCall& call) const;
  void destroy_several(const SharedCall& call) const;
  void get(const SharedCall& call) const;
  // sandbox_actions.cc
  void destroy(const SharedCall& call) const;
  void exec(const SharedCall& call) const;
  void pause(const SharedCall& call) const;
  void resume(const SharedCall& call) const;
  void reset(const SharedCall& call) const;
  void stop(const SharedCall& call) const;
  void stats(const SharedCall& call) const;
  void stats_of_several(const SharedCall& call) const;
  void connect(const SharedCall& call) const;
  void connect_run(const SharedCall& call) const;

  http::Loop& loop_;
  Keepers& keepers_;
  Admission& admission_;
  Metrics& metrics_;
  const PolicyMemory& policies_;
  Pool& pool_;
  Guests& guests_;
  History& history_;
  const Configurations& configurations_;
  Runs& runs_;
  std::map<std::string, std::shared_ptr<LiveSandbox>, std::less<>> sandboxes_;
  std::deque<std::shared_ptr<LiveSandbox>> over_;  // the last ones that are, for who asks what became of them
};

}  // namespace sbx::api
