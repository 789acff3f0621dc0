// Control groups of one sandbox: limits set before the first process joins, the whole of it killed and
// counted by them. One interface, two implementations: cgroup v2 (the design) and v1 controllers, with the
// v2 mount of a hybrid host for kill where there is one.
// Sources: kernel admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst, cgroup-v1/pids.rst, sched-bwc.rst.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx {

// Where groups can be made on this host, as the directories of our own place in each hierarchy.
struct CgroupLayout {
  enum class Kind : std::uint8_t { v2, v1 };
  Kind kind = Kind::v2;
  // v2: the directory below which sandboxes are made (its controllers are enabled for children).
  // v1 on a hybrid host: the same in the v2 hierarchy, for kill only; empty when there is none.
  std::string unified;
  // v1: controller ("memory", "pids", "cpu", "cpuacct") → the directory below which sandboxes are made: our
  // own group's, or the configured one.
  std::vector<std::pair<std::string, std::string>> controllers;

  [[nodiscard]] std::string controller(std::string_view name) const;
};

// Reads /proc/self/cgroup and /proc/self/mountinfo. On v2 finds a place for sandboxes that stays below the
// caller's limits and enables the controllers there:
//   1. `parent`, when the configuration names one (also on v1),
//   2. our own group when it was delegated or only we are in it (its processes move to a leaf of it),
//   3. the nearest ancestor that already serves children with memory and pids, with no limit in between.
// Error: what is missing and what to do.
Result<CgroupLayout> find_cgroup_layout(const std::string& parent);

// The same place without changing anything: nothing is moved, made or enabled. For those who only ask.
Result<CgroupLayout> look_up_cgroup_layout(const std::string& parent);

// On a pure v2 host under systemd whose own group is not ours to divide, a direct supervisor asks systemd for
// a delegated scope in the same slice (systemd.resource-control(5)).
struct SystemdScope {
  std::string tasks_max;  // pids.max of our own group, for the scope as well: "max" or a number
};
// Missing: no scope is needed, or one would escape a limit of memory or CPUs that our own unit has.
std::optional<SystemdScope> needed_systemd_scope();

// Our place from text, without touching anything.
struct CgroupMembership {
  struct Entry {
    std::vector<std::string> controllers;  // empty: the v2 hierarchy
    std::string mount_point;               // empty: not mounted here
    std::string directory;                 // of our own group; empty: not to be seen here
    std::string path;                      // as /proc/self/cgroup has it
  };
  std::vector<Entry> entries;
};
CgroupMembership parse_cgroup_membership(std::string_view proc_self_cgroup, std::string_view mountinfo);

// What the configured group `parent` is called in every hierarchy: "/a/b" for a directory a/b below the mount
// point of any of them, or below /sys/fs/cgroup.
Result<std::string> path_in_hierarchies(const CgroupMembership& membership, const std::string& parent);

// Of a sandbox of many commands, above its limit, in bytes: what its init has, and what it needs to start
// one.
constexpr std::uint64_t kRoomOfInit = 16U << 20U;

struct CgroupCounters {
  std::uint64_t oom_kills = 0;
  std::uint64_t pids_limit_hits = 0;
  std::uint64_t throttled_periods = 0;
  bool known = true;  // false: some could not be read
};

struct CgroupUsage {
  std::optional<std::uint64_t> cpu_us;
  std::optional<std::uint64_t> user_us;
  std::optional<std::uint64_t> system_us;
  std::optional<std::uint64_t> memory_peak_bytes;
  std::optional<std::uint64_t> pids_peak;  // with our init
  std::optional<std::uint64_t> io_read_bytes;
  std::optional<std::uint64_t> io_write_bytes;
  std::optional<std::uint64_t> throttled_us;
};

// As it is now. Pressure: for how much of the last ten seconds some task waited, in percent (kernel
// accounting/psi.rst).
struct CgroupState {
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint64_t> pids;  // with our init
  std::optional<double> cpu_pressure;
  std::optional<double> memory_pressure;
  std::optional<double> io_pressure;
};

// What could be enforced, for the result's `controls`, and what was given up by name.
struct CgroupControls {
  std::vector<std::pair<std::string, std::string>> controls;
  std::vector<std::string> degradations;
};

class CommandGroup;

class SandboxCgroup {
 public:
  SandboxCgroup() = default;
  SandboxCgroup(const SandboxCgroup&) = delete;
  SandboxCgroup& operator=(const SandboxCgroup&) = delete;
  virtual ~SandboxCgroup() = default;

  // For clone3(CLONE_INTO_CGROUP); -1: none.
  [[nodiscard]] virtual int into_cgroup_fd() const = 0;
  // The `tasks` files that the child writes 0 to.
  [[nodiscard]] virtual std::vector<int> task_fds() const = 0;
  // The cgroup namespace whose root is the sandbox's group, where the child is not in that itself; -1: it is.
  [[nodiscard]] virtual int namespace_fd() const { return -1; }
  // Readable (POLLIN or POLLPRI) when the kernel ran out of memory for the sandbox; -1: never.
  [[nodiscard]] virtual int memory_event_fd() const = 0;

  virtual CgroupCounters counters() = 0;
  virtual CgroupUsage usage() = 0;
  virtual CgroupState state() = 0;
  // CPU time so far, in microseconds; empty when it cannot be told.
  virtual std::optional<std::uint64_t> cpu_us() = 0;

  // Of a sandbox of many commands, once its init is there: where memory runs out, a command is killed and not
  // init, which has room of its own above the limit.
  virtual Result<void> give_room_to_init() = 0;
  // Of a sandbox of many commands: the group of the next one.
  virtual Result<CommandGroup> make_command_group(const std::string& name) = 0;

  // Stops everything in the group, or lets it go on.
  virtual Result<void> freeze(bool frozen) = 0;
  // Kills everything in the group. False: this kernel has no cgroup.kill, kill init instead.
  virtual bool kill() = 0;
  // Removes the groups, waiting up to two seconds for the last process to leave.
  virtual Result<void> remove() = 0;
};

// The directories that a sandbox named `name` will have: written down before they are made, so that the
// next start can remove them after a kill -9.
std::vector<std::string> cgroup_directories(const CgroupLayout& layout, const std::string& name);

// What a sandbox's groups are for.
struct CgroupUse {
  bool many_commands = false;  // each has a group of its own, below that whose memory is limited
  std::uint32_t init_uid = 0;  // then: of the sandbox's init, on the host
};

// Makes the groups and sets the limits. `allowed` are the degradations that the policy names; a missing
// control outside of it is an error that names the control.
Result<std::unique_ptr<SandboxCgroup>> make_cgroup(const CgroupLayout& layout, const std::string& name,
                                                   const CgroupUse& use, const LimitSet& limits,
                                                   const std::vector<std::string>& allowed,
                                                   CgroupControls& controls);

struct RemovedCgroups {
  std::size_t groups = 0;
  std::size_t processes = 0;  // killed in them
};

// Kills and removes what a dead supervisor left at these directories; missing ones are fine.
Result<RemovedCgroups> remove_cgroup_directories(const std::vector<std::string>& directories);

// --- for the implementations ------------------------------------------------------------------------------

Result<std::unique_ptr<SandboxCgroup>> make_cgroup_v1(const CgroupLayout& layout, const std::string& name,
                                                      const CgroupUse& use, const LimitSet& limits,
                                                      const std::vector<std::string>& allowed,
                                                      CgroupControls& controls);
Result<std::unique_ptr<SandboxCgroup>> make_cgroup_v2(const CgroupLayout& layout, const std::string& name,
                                                      const CgroupUse& use, const LimitSet& limits,
                                                      const std::vector<std::string>& allowed,
                                                      CgroupControls& controls);

class CgroupDirectory;
// Of a directory in the v2 hierarchy, also of a hybrid host.
void read_pressure(const CgroupDirectory& directory, CgroupState& state);

// A directory of the hierarchy, removed with its object.
class CgroupDirectory {
 public:
  CgroupDirectory() = default;
  static Result<CgroupDirectory> create(const std::string& path);
  CgroupDirectory(CgroupDirectory&& other) noexcept;
  CgroupDirectory& operator=(CgroupDirectory&& other) noexcept;
  CgroupDirectory(const CgroupDirectory&) = delete;
  CgroupDirectory& operator=(const CgroupDirectory&) = delete;
  ~CgroupDirectory();

  [[nodiscard]] bool valid() const { return fd_.valid(); }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool has(const std::string& file) const;
  Result<void> write(const std::string& file, std::string_view value) const;
  // Lets this user start processes in it (cgroups(7), delegation).
  Result<void> give_to(std::uint32_t uid) const;
  // A file with one number ("max" and what cannot be read: empty).
  [[nodiscard]] std::optional<std::uint64_t> number(const std::string& file) const;
  static std::optional<std::uint64_t> number_at(const std::string& path);
  // The number after `key` in a file of "key number" lines.
  [[nodiscard]] std::optional<std::uint64_t> keyed(const std::string& file, std::string_view key) const;
  // The same as a count, and `known` becomes false when the file cannot be read. Without the file, or without
  // the key in it (cpu.stat of v2 is always there), the controller is not used: nothing was counted.
  void count(const std::string& file, std::string_view key, std::uint64_t& counter, bool& known) const;
  Result<void> remove();

 private:
  std::string path_;
  UniqueFd fd_;
};

// Sends it to each process of the group at `path` that is there now, but `except`.
void signal_members(const std::string& path, int signal, int except = 0);

// The process that is alone in it; 0: there is none, or more.
int only_member(const std::string& path);

// The number after `key` in "key number" lines.
std::optional<std::uint64_t> find_keyed_number(std::string_view text, std::string_view key);

// Whether any swap is in use on this host; without it no limit of it is needed.
bool host_has_swap();

// Notes that `control` is missing: a degradation when allowed, else an error that says `why` and the way out.
Result<void> degrade(std::string_view control, std::string_view why, const std::vector<std::string>& allowed,
                     CgroupControls& controls);

}  // namespace sbx
