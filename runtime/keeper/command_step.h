// One program of a living sandbox, from its start to what a result says of it: a command, the compiler before
// it, or a line of a session.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "keeper/command_home.h"
#include "outcome/decide_outcome.h"
#include "outcome/run_result.h"
#include "resource/command_group.h"
#include "run/streams.h"
#include "supervise/execution.h"

namespace sbx {

class CommandStep {
 public:
  // `request`: for its streams, its terminal and its hint; it outlives the step. `client`: -1: none.
  CommandStep(const CommandHome& home, const RunRequest& request, const LimitSet& limits, int client);
  CommandStep(const CommandStep&) = delete;
  CommandStep& operator=(const CommandStep&) = delete;
  ~CommandStep();

  // One of both, once. `spill`: where its output goes; null: into memory.
  Result<void> begin_program(const ExecPlan& exec, std::vector<UniqueFd> passed, Spill* spill);
  Result<void> begin_line(Spill* spill);

  void wait_in(PollSet& turn);
  void check();
  // The sandbox's memory ran out: was it this one that was killed? True: it was.
  bool check_memory();
  void cancel(const std::string& why);
  // To each of its processes.
  void signal_all(int signal) const {
    if (execution_) processes().signal_all(signal);
  }

  [[nodiscard]] bool started() const { return execution_ != nullptr; }
  [[nodiscard]] bool running() const { return execution_ && !execution_->ended(); }
  [[nodiscard]] bool finished() { return execution_ && execution_->finished(); }
  // Of a finished one, once.
  void fill(StepResult& result);
  // What is left of it that may stay.
  [[nodiscard]] std::optional<CommandGroup> take_group() { return std::exchange(group_, std::nullopt); }
  // A signal of the caller's that came when it had ended; 0: none.
  [[nodiscard]] int late_signal() const { return late_signal_; }

 private:
  void watch(ExecutionInput input, Spill* spill);
  void let_go();
  void fill_usage(const ExecutionReport& report, Usage& usage) const;
  RunFacts gather_facts(const ExecutionReport& report, StepResult& result) const;
  // Its own, or those of its session.
  [[nodiscard]] const CommandGroup& processes() const {
    return session_ != nullptr ? session_->group() : *group_;
  }

  const CommandHome& home_;
  const RunRequest& request_;
  LimitSet limits_;
  int client_;
  std::optional<CommandGroup> group_;  // not of a session's line
  std::shared_ptr<ShellSession> session_;
  std::unique_ptr<Execution> execution_;
  // As it was when this began.
  CgroupCounters before_;
  CgroupUsage usage_before_;
  CgroupUsage own_before_;
  std::uint64_t oom_kills_before_ = 0;
  std::vector<Denial> denied_before_;
  int late_signal_ = 0;
};

}  // namespace sbx
