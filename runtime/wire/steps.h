// The steps of a launch, in order: one table for the enum, the names in results, messages and timings.
// Sources of the order: docs/architecture.md "Order of the launch".
#pragma once

#include <cstdint>

namespace sbx {

#define SBX_LAUNCH_STEPS(X)                                                                    \
  /* in the spawner */                                                                         \
  X(network_namespace) /* made ahead: the spawner lives in it until the launch */              \
  X(loopback)          /* lo up in it */                                                       \
  X(user_namespace)    /* prepare the user namespaces with the sandbox's id maps */            \
  X(id_map_mounts)     /* id-map the detached mounts */                                        \
  X(clone)             /* clone3 into the namespaces (and the v2 cgroup) */                    \
  /* in the child */                                                                           \
  X(join_cgroups)     /* write 0 to the tasks file of each v1 group */                         \
  X(cgroup_namespace) /* after joining, so that the sandbox's group is its root */             \
  X(private_mounts)   /* no mount of ours reaches the host */                                  \
  X(mount)            /* the mounts of the plan; `index` says which */                         \
  X(pivot_root)                                                                                \
  X(detach_old_root)                                                                           \
  X(hostname)                                                                                  \
  X(open_null) /* /dev/null for init's own standard streams */                                 \
  X(rlimits)   /* `index` says which */                                                        \
  X(join_user_namespace)                                                                       \
  X(forbid_user_namespaces) /* max_user_namespaces 0 in it */                                  \
  X(drop_groups)                                                                               \
  X(set_ids)                                                                                   \
  X(ambient_capabilities) /* those of init; before the bounding set goes, which limits them */ \
  X(drop_bounding_set)                                                                         \
  X(set_capabilities)                                                                          \
  X(death_signal) /* after the last id change, which clears it; then: is the parent alive? */  \
  X(no_new_privs)                                                                              \
  X(close_descriptors)                                                                         \
  X(seccomp)                                                                                   \
  X(exec_init)                                                                                 \
  /* in init, for the command */                                                               \
  X(init_start) /* init hardens itself and reads its first message */                          \
  X(new_session)                                                                               \
  X(terminal) /* open a pty of the sandbox and make it the controlling terminal */             \
  X(standard_streams)                                                                          \
  X(workload_ids)                                                                              \
  X(workload_capabilities)                                                                     \
  X(cpu_affinity)                                                                              \
  X(working_directory)                                                                         \
  X(execve)

enum class LaunchStep : std::uint8_t {
#define X(name) name,
  SBX_LAUNCH_STEPS(X)
#undef X
      none,  // nothing failed
};

inline constexpr unsigned kLaunchSteps = static_cast<unsigned>(LaunchStep::none);

constexpr const char* launch_step_name(LaunchStep step) {
  switch (step) {
#define X(name) \
  case LaunchStep::name: return #name;
    SBX_LAUNCH_STEPS(X)
#undef X
  case LaunchStep::none: break;
  }
  return "none";
}

// Where a launch failed. `index` counts within the step (which mount); `error_number` 0 means that the
// process was killed there.
struct LaunchFailure {
  LaunchStep step = LaunchStep::none;
  std::uint32_t index = 0;
  std::int32_t error_number = 0;
};

}  // namespace sbx
