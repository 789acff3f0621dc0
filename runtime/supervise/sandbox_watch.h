// Watches a sandbox: who launched it, its init, its memory; and tells the programs in it what concerns them.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "launch/launch_channel.h"
#include "supervise/execution.h"
#include "supervise/poll_set.h"

namespace sbx {

struct SandboxWatchInput {
  LaunchChannel& launch;
  int init = -1;          // our end of init's socket
  int memory_event = -1;  // readable when memory ran out; -1: never
  std::function<void()> out_of_memory;
  std::function<void()> kill;  // everything in the sandbox, as far as it has cgroups
};

class SandboxWatch {
 public:
  explicit SandboxWatch(SandboxWatchInput input) : in_(std::move(input)) {}

  // The program lives as long as it is here.
  void add(Execution& execution) { executions_.push_back(&execution); }
  void remove(const Execution& execution);

  void wait_in(PollSet& turn);
  // To the program that init knows by this number, also before it was started: init reads it after the
  // command that it is to start.
  void signal(std::uint32_t exec, int number) const;
  // Everything in the sandbox, also one that is still being launched.
  void kill();

  // Init runs, or did.
  [[nodiscard]] bool launched() const { return launched_; }
  // Of init, while it runs; else -1.
  [[nodiscard]] int init_pidfd() const { return init_pidfd_.get(); }
  // Where the launch failed.
  [[nodiscard]] const LaunchFailure& failure() const { return failure_; }
  // Every process is gone, or none can be told to be (the spawner died; removing the cgroup tells then).
  [[nodiscard]] bool gone() const { return gone_; }
  // And nothing else had ended a program of it before.
  [[nodiscard]] bool spawner_ended() const { return spawner_ended_; }
  [[nodiscard]] const std::array<std::uint32_t, kLaunchSteps>& step_us() const { return step_us_; }

 private:
  void read_launch();
  void read_init();
  void read_init_until_end();
  void end_all(const Ending& ending);
  Execution* find(std::uint32_t id);

  SandboxWatchInput in_;
  std::vector<Execution*> executions_;
  std::array<std::uint32_t, kLaunchSteps> step_us_{};
  UniqueFd init_pidfd_;
  LaunchFailure failure_;
  bool launched_ = false;
  bool killed_ = false;
  bool gone_ = false;
  bool init_gone_ = false;
  bool spawner_ended_ = false;
};

}  // namespace sbx
