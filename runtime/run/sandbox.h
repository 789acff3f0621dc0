// One sandbox, from its plan to its end: its cgroups, mounts and init's socket. run/run_step.cc runs one
// program in it, a keeper many.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "launch/exec_payload.h"
#include "launch/launch_channel.h"
#include "plan/sandbox_plan.h"
#include "policy/policy.h"
#include "resource/cgroup.h"
#include "resource/command_group.h"
#include "resource/id_pool.h"
#include "resource/prepare.h"
#include "run/settings.h"
#include "run/streams.h"

namespace sbx {

struct SandboxInput {
  const Settings& settings;
  const Policy& policy;
  const CgroupLayout& layout;
  const SandboxPlan& plan;
  const IdClaim& ids;
  bool many_commands = false;
};

// What a result says of the sandbox.
struct SandboxReport {
  std::vector<std::string> degradations;
  std::vector<std::pair<std::string, std::string>> controls;
  std::vector<std::string> notices;  // what could not be done
  bool clean = true;                 // false: something is left for the next start to sweep
};

// A command for init. `group`: the command's own; null: the sandbox ends with it. `program`: what is executed
// in place of a file of the sandbox's; -1: none.
struct InitCommand {
  std::uint32_t id = 0;
  const ExecPlan& exec;
  const ExecStreams& streams;
  const CommandGroup* group = nullptr;
  int program = -1;
};

class Sandbox {
 public:
  // `report` outlives it.
  Sandbox(SandboxInput input, SandboxReport& report) : in_(input), report_(report) {}
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;
  ~Sandbox() { release(); }

  Result<void> prepare(const OpenSources& open);
  // Also before the start: it waits in the socket, which saves a round trip.
  Result<void> send(const InitCommand& command, const CpuMask& cpus);
  Result<std::unique_ptr<LaunchChannel>> start(SandboxStarter& starter, bool last);

  // Of one of many commands: its group.
  Result<CommandGroup> make_command_group(const std::string& name);
  // Why a command could not be started, where that is the sandbox's memory; else nothing.
  [[nodiscard]] std::string full_memory(int error_number) const;

  // What the failed step was about, in the words of the plan, and what the host lacks for it.
  [[nodiscard]] std::string behind(const LaunchFailure& failure) const;

  [[nodiscard]] int init() const { return init_ours_.get(); }
  [[nodiscard]] bool prepared() const { return cgroup_ != nullptr; }
  [[nodiscard]] SandboxCgroup& cgroup() { return *cgroup_; }
  [[nodiscard]] const PreparedMounts& mounts() const { return prepared_; }
  [[nodiscard]] int denial_table() const { return denial_table_.get(); }  // -1: denials are not counted
  // What is told as controls, once it was prepared.
  void note_controls();
  // When all of its processes are gone, or `abandoned`.
  void release(bool abandoned = false);

 private:
  [[nodiscard]] std::string too_little_memory() const;

  void notice(std::string text) { report_.notices.push_back(std::move(text)); }

  SandboxInput in_;
  SandboxReport& report_;
  std::unique_ptr<SandboxCgroup> cgroup_;
  std::vector<std::pair<std::string, std::string>> cgroup_controls_;
  PreparedMounts prepared_;
  UniqueFd init_ours_;
  UniqueFd init_theirs_;
  UniqueFd denial_table_;
};

}  // namespace sbx
