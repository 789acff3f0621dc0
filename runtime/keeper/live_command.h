// One command of a sandbox that has many: its request, its run, its record and its answer.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "keeper/shell_session.h"
#include "keeper/site.h"
#include "outcome/run_result.h"
#include "policy/policy.h"
#include "resource/command_group.h"
#include "run/client_link.h"
#include "run/sandbox.h"
#include "supervise/execution.h"
#include "supervise/sandbox_watch.h"

namespace sbx {

// What its sandbox is, the same for each.
struct CommandHome {
  const Site& site;
  const Policy& policy;
  const RunRequest& request;  // of the sandbox
  const PlanFacts& facts;
  const SandboxPlan& plan;
  const IdClaim& ids;
  const RunResult& about;  // what every result of it says of the sandbox
  Sandbox& sandbox;
  SandboxWatch& watch;
  // The session of that name; a new one where there is none.
  std::function<Result<ShellSession*>(const std::string& name)> session;
};

class LiveCommand {
 public:
  // `id` is unused so far in this sandbox. `client` speaks wire/client_protocol.h; it is `uid`, or the API
  // for that one.
  LiveCommand(const CommandHome& home, std::uint32_t id, UniqueFd client, uid_t uid, bool from_api);
  LiveCommand(const LiveCommand&) = delete;
  LiveCommand& operator=(const LiveCommand&) = delete;
  ~LiveCommand();

  void wait_in(PollSet& turn);
  void check();
  // The sandbox's memory ran out: was it this one that was killed? True: it was.
  bool check_memory();
  void cancel(const std::string& why);
  // To each of its processes.
  void signal_all(int signal) const {
    if (execution_) processes().signal_all(signal);
  }

  [[nodiscard]] bool running() const { return execution_ && !execution_->ended(); }
  [[nodiscard]] bool finished() const { return finished_; }
  // The line for the monitor log should the keeper be killed now; empty: none.
  [[nodiscard]] std::string journal_record() const;
  // What is left of a finished one that may stay.
  [[nodiscard]] std::optional<CommandGroup> take_group();

 private:
  void begin();
  Result<void> try_begin(ReceivedRequest received);
  Result<void> check_request() const;
  Result<void> begin_program(std::vector<UniqueFd> passed);
  Result<void> begin_line();
  Result<void> watch(ExecutionInput input);
  void let_go();
  // Its own, or those of its session.
  [[nodiscard]] const CommandGroup& processes() const {
    return session_ != nullptr ? session_->group() : *group_;
  }
  void finish();
  void fail_with(const Error& error);
  void answer();

  const CommandHome& home_;
  std::uint32_t id_;
  UniqueFd client_;
  bool from_api_;
  RunRequest request_;
  RunResult result_;
  bool rejected_ = false;
  bool finished_ = false;
  std::optional<CommandGroup> group_;  // not of a session's line
  ShellSession* session_ = nullptr;
  std::unique_ptr<Spill> spill_;
  std::unique_ptr<Execution> execution_;
  CgroupCounters before_;
  CgroupUsage usage_before_;
  CgroupUsage own_before_;
  std::uint64_t oom_kills_before_ = 0;
  std::vector<Denial> denied_before_;
};

}  // namespace sbx
