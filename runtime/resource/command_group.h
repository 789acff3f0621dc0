// The control group of one command, below that of its sandbox, which has many: what it started is killed,
// counted and seen to be gone by itself. The limits are the sandbox's.
//
// It needs a directory in the v2 hierarchy, also on a hybrid host: only there all of a group can be killed at
// once, and seen to be empty (kernel admin-guide/cgroup-v2.rst, cgroup.kill and cgroup.events).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "resource/cgroup.h"

namespace sbx {

class CommandGroup {
 public:
  // `unified` and `memory` (v1; empty: none) are the directories of the sandbox; init, who starts the command
  // in it, is `init_uid` on the host.
  static Result<CommandGroup> make(const std::string& unified, const std::string& memory,
                                   const std::string& name, std::uint32_t init_uid);

  // For clone3(CLONE_INTO_CGROUP).
  [[nodiscard]] int directory_fd() const { return unified_.fd(); }
  // The v1 `tasks` files that the command writes 0 to.
  [[nodiscard]] std::vector<int> task_fds() const;
  // POLLPRI when it became empty, or no longer is.
  [[nodiscard]] int events_fd() const { return events_.get(); }
  // Reading is what makes events_fd wait for the next change.
  [[nodiscard]] bool populated() const;

  // Of the sandbox's memory that ran out, how often it was this command that was killed.
  [[nodiscard]] std::optional<std::uint64_t> oom_kills() const;
  // CPU time and, where the kernel counts it here, memory; all else is missing.
  [[nodiscard]] CgroupUsage usage() const;
  [[nodiscard]] std::optional<std::uint64_t> cpu_us() const {
    return unified_.keyed("cpu.stat", "usage_usec");
  }

  void kill() const { (void)unified_.write("cgroup.kill", "1"); }
  // To each of its processes, but one.
  void signal_all(int signal, int except = 0) const { signal_members(unified_.path(), signal, except); }
  // To all of them at one time: none sees another's end before it has its own signal.
  void signal_at_once(int signal) const;
  // The process that is alone in it; 0: there is none, or more.
  [[nodiscard]] int only_member() const;
  Result<void> remove();

 private:
  CgroupDirectory unified_;
  CgroupDirectory memory_;  // v1
  UniqueFd events_;
  UniqueFd tasks_;
};

}  // namespace sbx
