#include "resource/command_group.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "os/file.h"

namespace sbx {

Result<CommandGroup> CommandGroup::make(const std::string& unified, const std::string& memory,
                                        const std::string& name, std::uint32_t init_uid) {
  CommandGroup group;
  group.unified_ = TRY(CgroupDirectory::create(unified + "/" + name));
  TRY(group.unified_.give_to(init_uid));
  group.events_ = TRY(os::open_at(group.unified_.fd(), "cgroup.events", O_RDONLY));
  if (group.unified_.has("memory.oom.group")) TRY(group.unified_.write("memory.oom.group", "1"));
  if (memory.empty()) return group;
  group.memory_ = TRY(CgroupDirectory::create(memory + "/" + name));
  // What waits in its sockets is counted only from when this is written; the sandbox's limit holds.
  if (const auto bytes = CgroupDirectory::number_at(memory + "/memory.kmem.tcp.limit_in_bytes"))
    TRY(group.memory_.write("memory.kmem.tcp.limit_in_bytes", std::to_string(*bytes)));
  group.tasks_ = TRY(os::open_at(group.memory_.fd(), "tasks", O_WRONLY));
  return group;
}

std::vector<int> CommandGroup::task_fds() const {
  return tasks_.valid() ? std::vector<int>{tasks_.get()} : std::vector<int>{};
}

bool CommandGroup::populated() const {
  std::array<char, 256> text{};
  const ssize_t size = pread(events_.get(), text.data(), text.size(), 0);
  return size <= 0 || find_keyed_number({text.data(), static_cast<std::size_t>(size)}, "populated") != 0;
}

void CommandGroup::signal_at_once(int signal) const {
  constexpr int kMostLooks = 20;
  (void)unified_.write("cgroup.freeze", "1");
  for (int i = 0; i < kMostLooks && unified_.keyed("cgroup.events", "frozen") == 0U; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  signal_all(signal);
  (void)unified_.write("cgroup.freeze", "0");
}

int CommandGroup::only_member() const { return sbx::only_member(unified_.path()); }

std::optional<std::uint64_t> CommandGroup::oom_kills() const {
  return memory_.valid() ? memory_.keyed("memory.oom_control", "oom_kill")
                         : unified_.keyed("memory.events", "oom_kill");
}

CgroupUsage CommandGroup::usage() const {
  CgroupUsage usage;
  usage.cpu_us = cpu_us();
  usage.user_us = unified_.keyed("cpu.stat", "user_usec");
  usage.system_us = unified_.keyed("cpu.stat", "system_usec");
  usage.memory_peak_bytes =
      memory_.valid() ? memory_.number("memory.max_usage_in_bytes") : unified_.number("memory.peak");
  return usage;
}

Result<void> CommandGroup::remove() {
  Result<void> first = memory_.remove();
  Result<void> second = unified_.remove();
  return first ? second : first;
}

}  // namespace sbx
