#include "run/sandbox.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "os/file.h"
#include "os/mount.h"
#include "os/socket.h"
#include "policy/denial_filter.h"
#include "policy/exec_filter.h"
#include "resource/command_group.h"
#include "resource/denial_table.h"
#include "resource/foreign_ids.h"
#include "resource/host_needs.h"
#include "resource/host_rights.h"
#include "wire/init_protocol.h"

namespace sbx {
namespace {

// KILL is behind no refusal of a set-up.
std::string lacking_rights() { return lacking_capabilities(effective_capabilities(), true); }

}  // namespace

Result<void> Sandbox::prepare(const OpenSources& open) {
  std::vector<std::string>& degradations = report_.degradations;
  CgroupControls controls;
  LimitSet enforced = in_.plan.limits;
  if (in_.plan.report_denials && enforced.pids) ++*enforced.pids;  // of ours, as init is
  const CgroupUse use{in_.many_commands, in_.ids.outside(kInitId)};
  auto made =
      make_cgroup(in_.layout, in_.plan.sandbox_id, use, enforced, in_.policy.allow_degraded, controls);
  // Groups below it, and the namespace of all, count in it: also before v1 is told its limit.
  if (!made && (made.error().error_number == ENOMEM || made.error().error_number == EBUSY)) {
    Error error = std::move(made).error();
    error.text += too_little_memory();
    return fail(std::move(error));
  }
  cgroup_ = TRY(std::move(made));
  degradations.insert(degradations.end(), controls.degradations.begin(), controls.degradations.end());
  cgroup_controls_ = std::move(controls.controls);
  prepared_ =
      TRY(prepare_mounts(in_.plan, open, in_.ids, in_.settings.ids, in_.policy.allow_degraded, degradations));
  std::tie(init_ours_, init_theirs_) = TRY(os::seqpacket_pair());
  return {};
}

Result<void> Sandbox::send(const InitCommand& command, const CpuMask& cpus) {
  const UniqueFd payload = TRY(os::sealed_memfd("sbx-exec", make_exec_payload(command.exec, cpus)));
  init::Message message;
  message.type = init::MessageType::exec;
  message.exec = command.id;
  std::vector<int> descriptors{payload.get()};
  std::uint32_t flags = command.exec.tty ? init::kExecTty : 0;
  if (!command.exec.tty) {
    for (const UniqueFd& fd : command.streams.inside) descriptors.push_back(fd.get());
  }
  UniqueFd filter;
  if (in_.plan.report_denials && !denial_table_.valid()) {
    flags |= init::kExecDenials;
    denial_table_ = TRY(make_denial_table());
    filter = TRY(os::sealed_memfd("sbx-filter", in_.policy.seccomp_filter));
    descriptors.insert(descriptors.end(), {denial_table_.get(), filter.get()});
  }
  if (command.group != nullptr) {
    flags |= init::kExecStays | init::kExecGroup;
    descriptors.push_back(command.group->directory_fd());
  }
  if (command.program >= 0) {
    flags |= init::kExecProgram;
    descriptors.push_back(command.program);
  }
  if (command.group != nullptr) {
    const std::vector<int> tasks = command.group->task_fds();
    descriptors.insert(descriptors.end(), tasks.begin(), tasks.end());
    message.step = static_cast<std::uint32_t>(tasks.size());
  }
  message.value = static_cast<std::int32_t>(flags);
  return os::send_struct(init_ours_.get(), message, descriptors);
}

Result<std::unique_ptr<LaunchChannel>> Sandbox::start(SandboxStarter& starter, bool last) {
  LaunchPlan launch;
  launch.stage = in_.settings.run_dir + "/stage";
  launch.id_maps = prepared_.id_maps;
  launch.mounts = prepared_.descriptors;
  launch.commands = in_.plan.commands;
  launch.resource_limits = in_.plan.resource_limits;
  launch.hostname = in_.plan.hostname;
  launch.init_uid = kInitId;
  launch.init_gid = kInitId;
  launch.filter = in_.policy.seccomp_filter;
  if (in_.plan.report_denials) {
    launch.filter = with_denials_told(std::move(launch.filter));
    launch.report_denials = 1;
  }
  if (in_.many_commands) launch.filter = with_clone3(launch.filter);
  launch.into_cgroup = cgroup_->into_cgroup_fd() >= 0 ? 1 : 0;
  launch.cgroup_namespace = cgroup_->namespace_fd() >= 0 ? 1 : 0;
  launch.task_files = static_cast<std::uint32_t>(cgroup_->task_fds().size());

  std::vector<int> descriptors{init_theirs_.get()};
  if (launch.into_cgroup != 0) descriptors.push_back(cgroup_->into_cgroup_fd());
  if (launch.cgroup_namespace != 0) descriptors.push_back(cgroup_->namespace_fd());
  for (const int fd : cgroup_->task_fds()) descriptors.push_back(fd);
  for (const UniqueFd& mount : prepared_.mounts) descriptors.push_back(mount.get());
  auto channel = TRY(starter.start(launch, descriptors, last));
  init_theirs_.reset();
  prepared_.mounts.clear();
  return channel;
}

// Where it has a limit.
std::string Sandbox::too_little_memory() const {
  const auto& memory = in_.plan.limits.memory_bytes;
  if (!memory) return "";
  return "; its memory limit, " + limit_with_unit(*find_limit("memory"), *memory) +
         ", may be too little for a sandbox";
}

Result<CommandGroup> Sandbox::make_command_group(const std::string& name) {
  auto group = cgroup_->make_command_group(name);
  if (group) return group;
  return fail(
      Error{group.error().text + full_memory(group.error().error_number), group.error().error_number});
}

// execve(2) says E2BIG where there is no memory for the arguments.
std::string Sandbox::full_memory(int error_number) const {
  constexpr std::uint64_t kFree = 1U << 20U;
  const auto& limit = in_.plan.limits.memory_bytes;
  if (!limit || (error_number != ENOMEM && error_number != E2BIG)) return "";
  if (cgroup_->state().memory_bytes.value_or(0) + kFree < *limit) return "";
  return "; the sandbox's memory, " + limit_with_unit(*find_limit("memory"), *limit) +
         ", is used up: what is in /tmp and /dev/shm counts, too";
}

std::string Sandbox::behind(const LaunchFailure& failure) const {
  // execve(2) of init says E2BIG where there is no memory for its arguments.
  const int error = failure.error_number;
  if (error == ENOMEM || error == E2BIG || cgroup_->counters().oom_kills > 0) {
    if (std::string words = too_little_memory(); !words.empty()) return words;
  }
  const auto in = [&](LaunchStep step, std::size_t count) {
    return failure.step == step && failure.index < count;
  };
  if (in(LaunchStep::id_map_mounts, in_.plan.sources.size()) && failure.error_number == EINVAL) {
    const std::string& path = in_.plan.sources[failure.index].path;
    const auto fd = os::open_at(AT_FDCWD, path, O_PATH);
    return "; " + id_map_refusal(path, fd ? os::file_system_name(fd->get()) : "a file system");
  }
  if (!in(LaunchStep::mount, in_.plan.commands.size())) {
    return host_need_behind(failure.step, {}, failure.error_number, lacking_rights());
  }
  const MountCommand& command = in_.plan.commands[failure.index];
  return "; it was about '/" + command.target + "'" +
         host_need_behind(failure.step, command.action, failure.error_number, lacking_rights());
}

void Sandbox::note_controls() {
  auto& controls = report_.controls;
  for (const char* name : {"user_ns", "mount_ns", "pid_ns", "net_ns", "ipc_ns", "uts_ns", "cgroup_ns"}) {
    controls.emplace_back(name, "on");
  }
  controls.emplace_back("seccomp", in_.plan.seccomp);
  if (in_.plan.report_denials) controls.emplace_back("denials", "counted");
  controls.emplace_back("capabilities", "none");
  controls.emplace_back("no_new_privs", "on");
  controls.emplace_back("network", "loopback");
  controls.emplace_back("root", in_.policy.writable_root ? "writable copy" : "read-only");
  for (auto& control : cgroup_controls_) controls.push_back(std::move(control));
}

// The mounts first: then nothing of the sandbox's is left in them.
void Sandbox::release(bool abandoned) {
  prepared_ = {};
  if (abandoned) {
    report_.clean = false;
    notice("the sandbox did not end within 10 s of being killed; the next start sweeps it");
  }
  if (!cgroup_) return;
  if (const auto removed = cgroup_->remove(); !removed) {
    report_.clean = false;
    notice("a cgroup could not be removed; the next start tries again: " + removed.error().text);
  }
  cgroup_.reset();
}

}  // namespace sbx
