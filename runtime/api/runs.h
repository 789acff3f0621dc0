// Runs: each a program in a sandbox of its own, or a command of one that is there.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api/admission.h"
#include "api/history.h"
#include "api/keepers.h"
#include "api/live_sandbox.h"
#include "api/metrics.h"
#include "api/policy_memory.h"
#include "api/request_key.h"
#include "api/router.h"
#include "api/run.h"

namespace sbx::api {

class Runs {
 public:
  Runs(http::Loop& loop, Keepers& keepers, Admission& admission, Metrics& metrics,
       const PolicyMemory& policies, History& history, const KeptOutput& output)
      : loop_(loop),
        keepers_(keepers),
        admission_(admission),
        metrics_(metrics),
        policies_(policies),
        history_(history),
        output_(output) {
    look_after();
  }
  void add_routes(Router& router);

  // Begins it and answers the call, at once or with `?wait` at its end. `sandbox`: where it runs; null: in
  // one of its own, now or when it is its turn. `key` is new.
  void begin(const SharedCall& call, AskedRun asked, const RequestKey& key, LiveSandbox* sandbox);
  // What was made for the same request before.
  void answer_again(const SharedCall& call, const std::string& id);
  void cancel_all();
  // That have not ended, in sandboxes of their own.
  [[nodiscard]] std::vector<std::shared_ptr<Run>> in_project(const std::string& project) const;
  void count(Metrics::Now& now) const;

 private:
  void create(const SharedCall& call);
  void list(const SharedCall& call) const;
  void get(const SharedCall& call) const;
  void cancel(const SharedCall& call) const;
  void signal(const SharedCall& call) const;
  void be_at_terminal(const SharedCall& call) const;
  void get_output(const SharedCall& call) const;
  void get_events(const SharedCall& call) const;
  // What is left to do with a run until it begins.
  struct Start;
  static Result<void> begin_in(const LiveSandbox& sandbox, Run& run, Start start);
  Result<void> begin_own(Run& run, Start start, Admission::Place place);
  // False: it has its answer.
  bool admit(const SharedCall& call, const std::shared_ptr<Run>& run, Start start);
  void note_end(const Run& run);
  [[nodiscard]] std::size_t unattended() const;
  void look_after();
  // Null without an error: there is none.
  Result<std::shared_ptr<Run>> look_for(const std::string& id) const;
  std::shared_ptr<Run> find(const SharedCall& call) const;

  http::Loop& loop_;
  Keepers& keepers_;
  Admission& admission_;
  Metrics& metrics_;
  const PolicyMemory& policies_;
  History& history_;
  const KeptOutput& output_;
  std::map<std::string, std::shared_ptr<Run>, std::less<>> runs_;  // that have not ended, by id
  http::Timer care_;
};

}  // namespace sbx::api
