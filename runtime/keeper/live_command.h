// One command of a sandbox that has many: its request, its run, its record and its answer.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "keeper/command_home.h"
#include "keeper/command_step.h"
#include "keeper/peer.h"
#include "language/apply_language.h"
#include "outcome/run_result.h"
#include "policy/apply_policy.h"
#include "resource/code_place.h"
#include "run/client_link.h"

namespace sbx {

class LiveCommand {
 public:
  // `client` speaks wire/client_protocol.h; it is `peer`, or the API for that one.
  LiveCommand(const CommandHome& home, UniqueFd client, PeerIdentity peer, bool from_api);
  LiveCommand(const LiveCommand&) = delete;
  LiveCommand& operator=(const LiveCommand&) = delete;

  void wait_in(PollSet& turn);
  void check();
  // The sandbox's memory ran out: was it this one that was killed? True: it was.
  bool check_memory() { return step_ && step_->check_memory(); }
  void cancel(const std::string& why);
  // To each of its processes.
  void signal_all(int signal) const {
    if (step_) step_->signal_all(signal);
  }

  [[nodiscard]] bool running() const { return step_ && step_->running(); }
  [[nodiscard]] bool finished() const { return finished_; }
  // The line for the monitor log should the keeper be killed now; empty: none.
  [[nodiscard]] std::string journal_record() const;
  // What is left of a finished one that may stay.
  [[nodiscard]] std::vector<CommandGroup> take_groups() { return std::move(groups_); }

 private:
  void begin();
  Result<void> try_begin(ReceivedRequest received);
  Result<void> check_request() const;
  Result<void> check_session() const;
  Result<LimitSet> grant(RunRequest& request, LimitFlags asked_by);
  Result<void> begin_language();
  Result<void> begin_compiler();
  Result<void> begin_program();
  [[nodiscard]] Result<ExecPlan> plan(const std::optional<LanguageCommand>& command) const;
  void end_compiler();
  void finish();
  void fail_with(const Error& error);
  void answer();

  const CommandHome& home_;
  UniqueFd client_;
  PeerIdentity peer_;
  bool from_api_;
  RunRequest request_;
  std::vector<UniqueFd> passed_;
  RunResult result_;
  bool rejected_ = false;
  bool finished_ = false;
  std::unique_ptr<Spill> spill_;
  std::string place_name_;  // of a language
  std::optional<CodePlace> place_;
  std::optional<Language> language_;
  std::optional<LanguageCommand> act_;
  RunRequest compile_request_;
  StepResult compile_;
  bool compiling_ = false;
  std::unique_ptr<CommandStep> step_;
  std::vector<CommandGroup> groups_;
};

}  // namespace sbx
