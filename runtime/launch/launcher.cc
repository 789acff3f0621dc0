#include "launch/launcher.h"

#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include <string>

#include "launch/child.h"
#include "launch/stopwatch.h"
#include "launch/user_namespace.h"
#include "os/mount.h"
#include "os/raw.h"

namespace sbx {
namespace {

// The plan in the form that the child can use: no string, no vector, every path with its NUL.
struct ChildForm {
  std::vector<ChildMount> mounts;
  std::vector<std::string> overlay_dirs;
  std::vector<int> task_fds;
  ChildPlan plan;
};

// Where each kind of descriptor starts in the list.
struct Layout {
  std::size_t cgroup = 1;
  std::size_t cgroup_namespace = 1;
  std::size_t tasks = 1;
  std::size_t mounts = 1;
  std::size_t total = 1;
};

Layout layout_of(const LaunchPlan& plan) {
  Layout layout;
  layout.cgroup_namespace = layout.cgroup + plan.into_cgroup;
  layout.tasks = layout.cgroup_namespace + plan.cgroup_namespace;
  layout.mounts = layout.tasks + plan.task_files;
  layout.total = layout.mounts + plan.mounts.size();
  return layout;
}

void make_child_form(const LaunchPlan& plan, const Layout& layout, const std::vector<UniqueFd>& descriptors,
                     ChildForm& form) {
  for (std::size_t i = 0; i < plan.task_files; ++i)
    form.task_fds.push_back(descriptors[layout.tasks + i].get());
  form.overlay_dirs.reserve(plan.commands.size() * 2);  // no reallocation: their addresses are kept
  for (const MountCommand& command : plan.commands) {
    ChildMount mount;
    mount.action = command.action;
    mount.attributes = command.attributes;
    mount.source = command.source.c_str();
    mount.target = command.target.c_str();
    if (command.action == MountAction::attach) {
      mount.fd = descriptors[layout.mounts + command.descriptor].get();
    }
    const bool is_overlay =
        command.action == MountAction::overlay || command.action == MountAction::user_overlay;
    if (is_overlay && !command.upper.empty()) {
      // Relative to the stage, like `source` without its slash.
      form.overlay_dirs.push_back(command.upper.substr(1) + "/upper");
      mount.upper_dir = form.overlay_dirs.back().c_str();
      form.overlay_dirs.push_back(command.upper.substr(1) + "/work");
      mount.work_dir = form.overlay_dirs.back().c_str();
    }
    form.mounts.push_back(mount);
  }
  ChildPlan& child = form.plan;
  child.stage = plan.stage.c_str();
  child.mounts = form.mounts.data();
  child.mount_count = static_cast<std::uint32_t>(form.mounts.size());
  child.task_fds = form.task_fds.data();
  child.task_count = static_cast<std::uint32_t>(form.task_fds.size());
  child.limits = plan.resource_limits.data();
  child.limit_count = static_cast<std::uint32_t>(plan.resource_limits.size());
  child.hostname = plan.hostname.c_str();
  child.hostname_size = plan.hostname.size();
  child.init_uid = plan.init_uid;
  child.init_gid = plan.init_gid;
  // seccomp(2) reads the program through a pointer to non-const, and does not write it.
  child.filter.filter = reinterpret_cast<sock_filter*>(const_cast<char*>(plan.filter.data()));
  child.filter.len = static_cast<unsigned short>(plan.filter.size() / sizeof(sock_filter));
  child.report_denials = plan.report_denials != 0;
  child.control_fd = descriptors[0].get();
  if (plan.cgroup_namespace != 0) child.cgroup_namespace_fd = descriptors[layout.cgroup_namespace].get();
}

}  // namespace

LaunchedInit launch_init(const LaunchPlan& plan, const std::vector<UniqueFd>& descriptors,
                         const NetworkNamespace& network, int spawner_pidfd) {
  LaunchedInit launched;
  launched.failure = network.failure();
  network.add_times(launched.step_us);
  if (launched.failure.step != LaunchStep::none) return launched;
  const auto failed_at = [&](LaunchStep step, std::size_t index, int error_number) -> LaunchedInit& {
    launched.failure = {step, static_cast<std::uint32_t>(index), error_number};
    return launched;
  };
  const Layout layout = layout_of(plan);
  if (descriptors.size() != layout.total) {
    failed_at(LaunchStep::clone, 0, EBADF);
    return launched;
  }

  Stopwatch watch;
  std::vector<UniqueFd> namespaces;
  for (const IdMap& map : plan.id_maps) {
    Result<UniqueFd> made = make_user_namespace(map);
    if (!made) {
      failed_at(LaunchStep::user_namespace, namespaces.size(), made.error().error_number);
      return launched;
    }
    namespaces.push_back(std::move(*made));
  }
  launched.step_us[static_cast<unsigned>(LaunchStep::user_namespace)] = watch.lap_us();

  for (std::size_t i = 0; i < plan.mounts.size(); ++i) {
    if (plan.mounts[i].id_map < 0) continue;
    const int user_namespace = namespaces[static_cast<std::size_t>(plan.mounts[i].id_map)].get();
    if (const auto mapped = os::id_map_mount(descriptors[layout.mounts + i].get(), user_namespace, "");
        !mapped) {
      failed_at(LaunchStep::id_map_mounts, i, mapped.error().error_number);
      return launched;
    }
  }
  launched.step_us[static_cast<unsigned>(LaunchStep::id_map_mounts)] = watch.lap_us();

  ChildForm form;
  make_child_form(plan, layout, descriptors, form);
  volatile LaunchFailure failure{};
  form.plan.user_namespace_fd = namespaces.front().get();
  form.plan.spawner_pidfd = spawner_pidfd;
  form.plan.failure = &failure;
  form.plan.step_us = launched.step_us.data();

  alignas(16) std::array<char, 16384> stack{};
  int pidfd = -1;
  clone_args arguments{};
  arguments.flags =
      CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
  arguments.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  arguments.stack = reinterpret_cast<std::uint64_t>(stack.data());
  arguments.stack_size = stack.size();
  if (plan.into_cgroup != 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<std::uint64_t>(descriptors[layout.cgroup].get());
  }
  (void)watch.lap_us();
  const long pid = raw::clone_call(&arguments, sizeof arguments, run_child, &form.plan);
  if (pid < 0) {
    failed_at(LaunchStep::clone, 0, static_cast<int>(-pid));
    return launched;
  }
  launched.pidfd = UniqueFd(pidfd);
  // What the child's own steps leave of the time is the clone itself and the exec of init.
  std::uint32_t inside = 0;
  for (auto step = static_cast<unsigned>(LaunchStep::join_cgroups); step < kLaunchSteps; ++step) {
    inside += launched.step_us[step];
  }
  launched.step_us[static_cast<unsigned>(LaunchStep::clone)] = watch.lap_us() - inside;
  launched.failure = {failure.step, failure.index, failure.error_number};
  return launched;
}

}  // namespace sbx
