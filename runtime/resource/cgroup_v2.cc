#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <charconv>

#include "os/file.h"
#include "resource/cgroup.h"
#include "resource/cgroup_namespace.h"
#include "resource/command_group.h"

namespace sbx {
namespace {

constexpr std::uint64_t kCpuPeriodUs = 100'000;

// Sums "rbytes=N wbytes=N" over the devices of io.stat.
std::uint64_t sum_of(std::string_view text, std::string_view key) {
  std::uint64_t sum = 0;
  for (std::size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at)) {
    at += key.size();
    std::uint64_t value = 0;
    (void)std::from_chars(text.data() + at, text.data() + text.size(), value);
    sum += value;
  }
  return sum;
}

class CgroupV2 final : public SandboxCgroup {
 public:
  int into_cgroup_fd() const override { return init.valid() ? init.fd() : directory.fd(); }
  int namespace_fd() const override { return cgroup_namespace.get(); }
  std::vector<int> task_fds() const override { return {}; }
  // memory.oom.group kills the whole group, init too: there is nothing to react to in time.
  int memory_event_fd() const override { return -1; }

  CgroupCounters counters() override {
    CgroupCounters counters;
    directory.count("memory.events", "oom_kill", counters.oom_kills, counters.known);
    directory.count("pids.events", "max", counters.pids_limit_hits, counters.known);
    directory.count("cpu.stat", "nr_throttled", counters.throttled_periods, counters.known);
    return counters;
  }

  CgroupUsage usage() override {
    CgroupUsage usage;
    usage.cpu_us = cpu_us();
    usage.user_us = directory.keyed("cpu.stat", "user_usec");
    usage.system_us = directory.keyed("cpu.stat", "system_usec");
    usage.throttled_us = directory.keyed("cpu.stat", "throttled_usec");
    usage.memory_peak_bytes = directory.number("memory.peak");
    usage.pids_peak = directory.number("pids.peak");
    if (const auto io = os::read_file(directory.fd(), "io.stat", 65536)) {
      usage.io_read_bytes = sum_of(*io, "rbytes=");
      usage.io_write_bytes = sum_of(*io, "wbytes=");
    }
    return usage;
  }

  CgroupState state() override {
    CgroupState state;
    state.memory_bytes = directory.number("memory.current");
    state.pids = directory.number("pids.current");
    read_pressure(directory, state);
    return state;
  }

  std::optional<std::uint64_t> cpu_us() override { return directory.keyed("cpu.stat", "usage_usec"); }
  bool kill() override { return directory.write("cgroup.kill", "1").has_value(); }
  Result<void> give_room_to_init() override {
    if (!memory_bytes) return {};
    return directory.write("memory.max", std::to_string(*memory_bytes + kRoomOfInit));
  }
  Result<CommandGroup> make_command_group(const std::string& name) override {
    return CommandGroup::make(commands.path(), "", name, init_uid);
  }
  Result<void> freeze(bool frozen) override { return directory.write("cgroup.freeze", frozen ? "1" : "0"); }
  Result<void> remove() override {
    Result<void> first;
    for (CgroupDirectory* group : {&init, &commands, &directory}) {
      if (auto removed = group->remove(); !removed && first) first = std::move(removed);
    }
    return first;
  }

  CgroupDirectory directory;
  // Of a sandbox of many commands: a group with controllers for those below it has no process of its own.
  CgroupDirectory init;
  CgroupDirectory commands;
  std::optional<std::uint64_t> memory_bytes;
  UniqueFd cgroup_namespace;
  std::uint32_t init_uid = 0;
};

// Memory is counted for each command, so that what ran out of it is killed as one, and alone.
Result<void> divide(CgroupV2& group, const CgroupUse& use) {
  group.init_uid = use.init_uid;
  // While it may still have a process: who makes a cgroup namespace is in the group that is its root.
  group.cgroup_namespace = TRY(cgroup_namespace_of(group.directory.fd()));
  TRY(group.directory.give_to(use.init_uid));
  group.init = TRY(CgroupDirectory::create(group.directory.path() + "/init"));
  group.commands = TRY(CgroupDirectory::create(group.directory.path() + "/commands"));
  if (!group.directory.has("memory.max")) return {};
  for (const CgroupDirectory* above : {&group.directory, &group.commands})
    TRY(above->write("cgroup.subtree_control", "+memory"));
  return group.memory_bytes ? group.commands.write("memory.max", std::to_string(*group.memory_bytes))
                            : Result<void>();
}

}  // namespace

Result<std::unique_ptr<SandboxCgroup>> make_cgroup_v2(const CgroupLayout& layout, const std::string& name,
                                                      const CgroupUse& use, const LimitSet& limits,
                                                      const std::vector<std::string>& allowed,
                                                      CgroupControls& controls) {
  auto group = std::make_unique<CgroupV2>();
  group->directory = TRY(CgroupDirectory::create(layout.unified + "/" + name));
  const CgroupDirectory& directory = group->directory;

  // A controller's files are there exactly when it is enabled for this group.
  const auto enabled = [&](const char* file, const char* control) -> Result<bool> {
    if (directory.has(file)) {
      controls.controls.emplace_back(control, "v2");
      return true;
    }
    TRY(degrade(control,
                "the cgroup v2 controller '" + std::string(control) + "' is not enabled below '" +
                    layout.unified + "'",
                allowed, controls));
    return false;
  };

  if (TRY(enabled("memory.max", "memory"))) {
    group->memory_bytes = limits.memory_bytes;
    if (limits.memory_bytes) TRY(directory.write("memory.max", std::to_string(*limits.memory_bytes)));
    if (directory.has("memory.swap.max")) {
      TRY(directory.write("memory.swap.max", "0"));
    } else if (host_has_swap()) {
      TRY(degrade("swap", "the kernel does not account swap", allowed, controls));
    }
    if (!use.many_commands) TRY(directory.write("memory.oom.group", "1"));  // else a command's group has it
    controls.controls.emplace_back("oom_group", "on");
  }
  if (TRY(enabled("pids.max", "pids")) && limits.pids) {
    TRY(directory.write("pids.max", std::to_string(*limits.pids + 1)));  // + our init
  }
  if (TRY(enabled("cpu.max", "cpu")) && limits.milli_cpus) {
    TRY(directory.write("cpu.max", std::to_string(*limits.milli_cpus * kCpuPeriodUs / 1000) + " " +
                                       std::to_string(kCpuPeriodUs)));
  }
  if (use.many_commands) TRY(divide(*group, use));
  return std::unique_ptr<SandboxCgroup>(std::move(group));
}

}  // namespace sbx
