// One launch, in the spawner: from a decoded plan and its descriptors to a running init.
//
// Theory of operation. The spawner is a small single-threaded process, so a clone of it is cheap and its
// child may share its memory until the exec. Per launch it
//   1. makes the user namespaces (the sandbox's own id range; one more per id-mapped source),
//   2. id-maps the detached mounts that the supervisor sent,
//   3. clone3s the child with CLONE_VM | CLONE_VFORK into new mount, pid, ipc and uts namespaces and, on
//      cgroup v2, straight into the sandbox's group; its network namespace was made ahead. It sleeps until
//      the child has exec'd init or failed; the child runs child.cc, whose comments explain the order,
//   4. gives the supervisor a pidfd of init and the time each step took, and waits for init's end.
// Init talks to the supervisor over a socket of its own (wire/init_protocol.h). Any failed step ends the
// launch: nothing falls back to anything weaker here.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/unique_fd.h"
#include "launch/network_namespace.h"
#include "wire/spawner_protocol.h"

namespace sbx {

struct LaunchedInit {
  UniqueFd pidfd;
  LaunchFailure failure;  // step `none`: init was exec'd, or killed before (its wait status tells)
  std::array<std::uint32_t, kLaunchSteps> step_us{};
};

// `descriptors` in the order of wire/spawner_protocol.h. `network` is the caller's, for this launch only.
// `spawner_pidfd` is a pidfd of the calling process.
LaunchedInit launch_init(const LaunchPlan& plan, const std::vector<UniqueFd>& descriptors,
                         const NetworkNamespace& network, int spawner_pidfd);

}  // namespace sbx
