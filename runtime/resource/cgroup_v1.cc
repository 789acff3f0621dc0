// The same limits through v1 controllers, for hybrid hosts; no more of v1 than that needs.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "os/file.h"
#include "resource/cgroup.h"
#include "resource/command_group.h"

namespace sbx {
namespace {

constexpr std::uint64_t kCpuPeriodUs = 100'000;
constexpr std::string_view kNoV2 =
    "this host has no cgroup v2 hierarchy: mount one (type cgroup2), also beside the v1 controllers";

class CgroupV1 final : public SandboxCgroup {
 public:
  int into_cgroup_fd() const override { return unified.valid() ? unified.fd() : -1; }

  std::vector<int> task_fds() const override {
    std::vector<int> fds;
    for (const UniqueFd& fd : tasks) fds.push_back(fd.get());
    return fds;
  }

  int memory_event_fd() const override { return oom_event.get(); }

  CgroupCounters counters() override {
    CgroupCounters counters;
    if (memory.valid()) memory.count("memory.oom_control", "oom_kill", counters.oom_kills, counters.known);
    if (pids.valid()) pids.count("pids.events", "max", counters.pids_limit_hits, counters.known);
    if (cpu.valid()) cpu.count("cpu.stat", "nr_throttled", counters.throttled_periods, counters.known);
    return counters;
  }

  CgroupUsage usage() override {
    const auto in_us = [](std::optional<std::uint64_t> nanoseconds) {
      return nanoseconds ? std::optional(*nanoseconds / 1000) : std::nullopt;
    };
    CgroupUsage usage;
    usage.cpu_us = cpu_us();
    const CgroupDirectory& account = accounting();
    if (account.valid()) {
      usage.user_us = in_us(account.number("cpuacct.usage_user"));
      usage.system_us = in_us(account.number("cpuacct.usage_sys"));
    }
    if (memory.valid()) usage.memory_peak_bytes = memory.number("memory.max_usage_in_bytes");
    if (pids.valid()) usage.pids_peak = pids.number("pids.peak");
    if (cpu.valid()) usage.throttled_us = in_us(cpu.keyed("cpu.stat", "throttled_time"));
    return usage;
  }

  CgroupState state() override {
    CgroupState state;
    if (memory.valid()) state.memory_bytes = memory.number("memory.usage_in_bytes");
    if (pids.valid()) state.pids = pids.number("pids.current");
    if (unified.valid()) read_pressure(unified, state);
    return state;
  }

  std::optional<std::uint64_t> cpu_us() override {
    const auto nanoseconds = accounting().valid() ? accounting().number("cpuacct.usage") : std::nullopt;
    return nanoseconds ? std::optional(*nanoseconds / 1000) : std::nullopt;
  }

  Result<void> give_room_to_init() override {
    if (!memory_bytes) return {};
    const std::string bytes = std::to_string(*memory_bytes + kRoomOfInit);
    if (memory.has("memory.memsw.limit_in_bytes")) TRY(memory.write("memory.memsw.limit_in_bytes", bytes));
    return memory.write("memory.limit_in_bytes", bytes);
  }
  Result<CommandGroup> make_command_group(const std::string& name) override {
    return CommandGroup::make(unified.path(), commands.valid() ? commands.path() : "", name, init_uid);
  }

  Result<void> freeze(bool frozen) override {
    if (!unified.valid()) return fail(std::string(kNoV2));
    return unified.write("cgroup.freeze", frozen ? "1" : "0");
  }

  bool kill() override { return unified.valid() && unified.write("cgroup.kill", "1").has_value(); }

  Result<void> remove() override {
    Result<void> first;
    for (CgroupDirectory* directory : {&commands, &memory, &pids, &cpuacct, &cpu, &unified}) {
      if (auto removed = directory->remove(); !removed && first) first = std::move(removed);
    }
    return first;
  }

  // cpu and cpuacct are often one mount; then `cpu` serves as both.
  CgroupDirectory& accounting() { return cpuacct.valid() ? cpuacct : cpu; }

  CgroupDirectory unified;
  CgroupDirectory cpu;
  CgroupDirectory cpuacct;
  CgroupDirectory pids;
  CgroupDirectory memory;
  CgroupDirectory commands;  // below it
  std::optional<std::uint64_t> memory_bytes;
  std::vector<UniqueFd> tasks;
  UniqueFd oom_event;
  std::uint32_t init_uid = 0;
};

class Builder {
 public:
  Builder(const CgroupLayout& layout, const std::string& name, const CgroupUse& use, const LimitSet& limits,
          const std::vector<std::string>& allowed, CgroupControls& controls)
      : layout_(layout), name_(name), use_(use), limits_(limits), allowed_(allowed), controls_(controls) {}

  Result<std::unique_ptr<SandboxCgroup>> build() {
    TRY(unified());
    TRY(memory());
    TRY(pids());
    TRY(cpu());
    return std::unique_ptr<SandboxCgroup>(std::move(group_));
  }

 private:
  void control(const char* name, const char* how) { controls_.controls.emplace_back(name, how); }

  Result<bool> make(std::string_view controller, std::string_view control_name, CgroupDirectory& directory) {
    const std::string parent = layout_.controller(controller);
    if (parent.empty()) {
      TRY(degrade(control_name, "this host has no '" + std::string(controller) + "' cgroup controller",
                  allowed_, controls_));
      return false;
    }
    directory = TRY(CgroupDirectory::create(parent + "/" + name_));
    group_->tasks.push_back(TRY(os::open_at(directory.fd(), "tasks", O_WRONLY)));
    return true;
  }

  Result<void> unified() {
    if (layout_.unified.empty())
      return use_.many_commands ? Result<void>(fail(std::string(kNoV2))) : Result<void>();
    group_->unified = TRY(CgroupDirectory::create(layout_.unified + "/" + name_));
    if (use_.many_commands) TRY(group_->unified.give_to(use_.init_uid));
    group_->init_uid = use_.init_uid;
    return {};
  }

  Result<void> memory() {
    if (!TRY(make("memory", "memory", group_->memory))) return {};
    control("memory", "v1");
    if (use_.many_commands)
      group_->commands = TRY(CgroupDirectory::create(group_->memory.path() + "/commands"));
    if (!limits_.memory_bytes) return {};
    group_->memory_bytes = limits_.memory_bytes;
    TRY(limit_memory(group_->memory));
    if (use_.many_commands) TRY(limit_memory(group_->commands));
    TRY(name_what_is_missing());
    return hear_of_no_memory(use_.many_commands ? group_->commands : group_->memory);
  }

  Result<void> limit_memory(const CgroupDirectory& directory) {
    const std::string bytes = std::to_string(*limits_.memory_bytes);
    TRY(directory.write("memory.limit_in_bytes", bytes));
    // Memory and swap together: no swap on top.
    if (directory.has("memory.memsw.limit_in_bytes"))
      TRY(directory.write("memory.memsw.limit_in_bytes", bytes));
    // What waits in TCP and UDP sockets is in no v1 count before this is written, nor ever is what waits in a
    // socket made before (mem_cgroup_sk_alloc). It is a count of its own (cgroup-v1/memory.rst, 2.7): the two
    // together may reach twice the limit.
    if (directory.has("memory.kmem.tcp.limit_in_bytes"))
      TRY(directory.write("memory.kmem.tcp.limit_in_bytes", bytes));
    return {};
  }

  Result<void> name_what_is_missing() {
    if (!group_->memory.has("memory.memsw.limit_in_bytes") && host_has_swap()) {
      TRY(degrade("swap", "the kernel does not account swap (boot with swapaccount=1) and swap is on",
                  allowed_, controls_));
    }
    if (!group_->memory.has("memory.kmem.tcp.limit_in_bytes")) {
      TRY(degrade("socket_memory", "this kernel does not count the buffers of sockets on cgroup v1", allowed_,
                  controls_));
    }
    return {};
  }

  // v1 kills one process and knows no group: the supervisor hears of it and kills the rest.
  Result<void> hear_of_no_memory(const CgroupDirectory& directory) {
    group_->oom_event = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!group_->oom_event.valid()) return fail(system_error("eventfd", "", errno));
    const UniqueFd oom_control = TRY(os::open_at(directory.fd(), "memory.oom_control", O_RDONLY));
    TRY(directory.write("cgroup.event_control",
                        std::to_string(group_->oom_event.get()) + " " + std::to_string(oom_control.get())));
    control("oom_group", "emulated");
    return {};
  }

  Result<void> pids() {
    if (!TRY(make("pids", "pids", group_->pids))) return {};
    control("pids", "v1");
    if (limits_.pids) TRY(group_->pids.write("pids.max", std::to_string(*limits_.pids + 1)));  // + our init
    return {};
  }

  Result<void> cpu() {
    if (TRY(make("cpu", "cpu", group_->cpu))) {
      control("cpu", "v1");
      if (limits_.milli_cpus) {
        TRY(group_->cpu.write("cpu.cfs_period_us", std::to_string(kCpuPeriodUs)));
        TRY(group_->cpu.write("cpu.cfs_quota_us", std::to_string(*limits_.milli_cpus * kCpuPeriodUs / 1000)));
      }
    }
    if (group_->cpu.valid() && layout_.controller("cpu") == layout_.controller("cpuacct")) return {};
    (void)TRY(make("cpuacct", "cpu_accounting", group_->cpuacct));
    return {};
  }

  const CgroupLayout& layout_;
  const std::string& name_;
  const CgroupUse& use_;
  const LimitSet& limits_;
  const std::vector<std::string>& allowed_;
  CgroupControls& controls_;
  std::unique_ptr<CgroupV1> group_ = std::make_unique<CgroupV1>();
};

}  // namespace

Result<std::unique_ptr<SandboxCgroup>> make_cgroup_v1(const CgroupLayout& layout, const std::string& name,
                                                      const CgroupUse& use, const LimitSet& limits,
                                                      const std::vector<std::string>& allowed,
                                                      CgroupControls& controls) {
  return Builder(layout, name, use, limits, allowed, controls).build();
}

}  // namespace sbx
