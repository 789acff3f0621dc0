// What the supervisor and a spawner say to each other, over a SOCK_SEQPACKET socket pair.
//
//   supervisor                                        spawner
//       │                                 Hello{version} │
//       │◀───────────────────────────────────────────────┤
//       │  Launch{id} + payload memfd + descriptors       │
//       ├───────────────────────────────────────────────▶│  user namespaces, id-mapped mounts, clone3
//       │        Launched{id, timings} + pidfd of init    │
//       │◀───────────────────────────────────────────────┤  or LaunchFailed{id, step, index, errno}
//       │                 Ended{id, wait status of init}  │
//       │◀───────────────────────────────────────────────┤
//
// At end-of-file of this socket the spawner kills every init it has and ends; after the last launch it ends
// by itself, so that its supervisor need not wait for it. The spawner trusts the supervisor, and checks the
// form of what it says all the same.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/steps.h"
#include "wire/wire.h"

namespace sbx {

inline constexpr std::uint32_t kSpawnerProtocolVersion = 2;
inline constexpr int kSpawnerSocketFd = 3;  // in the spawner
inline constexpr int kInitProgramFd = 4;    // in the spawner: init's program, a sealed memfd, close-on-exec

enum class SpawnerMessageType : std::uint32_t {
  hello = 1,
  launch = 2,
  launched = 3,
  launch_failed = 4,
  ended = 5
};

// Every message is one of these; Launch and Launched carry descriptors as well.
struct SpawnerMessage {
  std::uint32_t version = kSpawnerProtocolVersion;
  SpawnerMessageType type{};
  std::uint64_t id = 0;    // chosen by the supervisor per launch
  std::uint32_t last = 0;  // launch: 1: no other one follows, and the spawner ends after it
  LaunchFailure failure;
  std::int32_t status = 0;                            // ended: wait status of init
  std::int64_t started_ns = 0;                        // launched: CLOCK_MONOTONIC when the spawner began
  std::array<std::uint32_t, kLaunchSteps> step_us{};  // launched: duration of each step done by then
};

// One line of a uid_map or gid_map (user_namespaces(7)).
struct IdMapLine {
  std::uint32_t first_inside = 0;
  std::uint32_t first_outside = 0;
  std::uint32_t count = 0;
  bool operator==(const IdMapLine&) const = default;
};

struct IdMap {
  std::vector<IdMapLine> uids;
  std::vector<IdMapLine> gids;
  bool operator==(const IdMap&) const = default;
};

// What the child does with its mount table, in order. Paths that start with '/' are below the stage (a
// directory of the host that only the child's private namespace sees filled); others are relative to the
// new root and resolved inside it, without following symbolic links.
enum class MountAction : std::uint8_t {
  attach,   // the detached mount `descriptor` at `target`
  bind,     // a copy of the mount at `source`, with `attributes` added, at `target`
  overlay,  // layers `source` ("a:b", below the stage), upper and work below `upper` if any, at `target`
  proc,     // a new procfs
  devpts,
  mqueue,
  mask_file,       // /dev/null over a file; skipped when it does not exist
  mask_directory,  // an empty read-only directory; skipped when it does not exist
  read_only,       // the directory or file itself, read-only; skipped when it does not exist
  enter_root,      // from here on relative targets are below the mount at `source`
  user_overlay,    // as overlay; its marks are attributes "user.overlay.", which need no rights to be read
};

struct MountCommand {
  MountAction action{};
  std::uint32_t descriptor = 0;  // index in the launch's mount descriptors
  std::uint64_t attributes = 0;  // MOUNT_ATTR_*
  std::string source;
  std::string upper;
  std::string target;
  bool operator==(const MountCommand&) const = default;
};

struct ResourceLimit {
  std::uint32_t resource = 0;  // RLIMIT_*
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
  bool operator==(const ResourceLimit&) const = default;
};

// A mount that was made ready by the supervisor, not yet attached anywhere.
struct MountDescriptor {
  std::int32_t id_map = -1;  // index of the map to apply, -1 none
  bool operator==(const MountDescriptor&) const = default;
};

// The payload of Launch. Descriptors come in this order: init's socket, [v2 cgroup directory], [cgroup
// namespace], v1 tasks files, mounts.
struct LaunchPlan {
  std::string stage;           // the host directory below which "/…" targets are
  std::vector<IdMap> id_maps;  // the first is the sandbox's own user namespace
  std::vector<MountDescriptor> mounts;
  std::vector<MountCommand> commands;
  std::vector<ResourceLimit> resource_limits;
  std::string hostname;
  std::uint32_t init_uid = 0;  // inside
  std::uint32_t init_gid = 0;
  std::string filter;                 // struct sock_filter[]
  std::uint8_t report_denials = 0;    // 1: init gets a listener for it (seccomp_unotify(2))
  std::uint8_t into_cgroup = 0;       // 1: a v2 cgroup directory is sent
  std::uint8_t cgroup_namespace = 0;  // 1: one to join is sent; else a new one is made
  std::uint32_t task_files = 0;       // number of v1 tasks files sent
  bool operator==(const LaunchPlan&) const = default;
};

std::string encode_launch_plan(const LaunchPlan& plan);
Result<LaunchPlan> decode_launch_plan(std::string_view bytes);

}  // namespace sbx
