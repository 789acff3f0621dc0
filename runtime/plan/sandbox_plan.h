// What will be done, resolved: every mount, id, limit, argument and environment variable of one sandbox
// and its one command. Plain data, made by a pure function, printed by --dry-run. What is still missing is
// made by resource/: descriptors for the sources, the id range, cgroups.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "language/apply_language.h"
#include "request/run_request.h"
#include "wire/spawner_protocol.h"

namespace sbx {

// Ids inside every sandbox. init has one of its own that no image uses.
inline constexpr std::uint32_t kWorkloadId = 1000;
inline constexpr std::uint32_t kInitId = 65533;
inline constexpr std::uint32_t kIdsPerSandbox = 65536;

// Which user namespace a source is id-mapped with.
enum class SourceIdMap : std::uint8_t {
  none,     // a file system of ours, written with outside ids
  sandbox,  // ids on disk are the ids inside: an image
  host,     // the same for the host's own tree, without the ids that init and the workload have: what a login
            // user of the host keeps private stays so
  owner,    // the ids that own the source on disk are the workload's inside: a bind of root's
  client,   // those of who asked are: a bind of anybody else's
  project,  // the service id that owns projects on disk is the workload's inside
};

// A directory made in a scratch file system. The owner is an inside id, or the host's root.
struct ScratchDirectory {
  std::string name;
  std::uint32_t mode = 0755;
  std::optional<std::uint32_t> inside_owner;
  bool file = false;    // a file instead: the target of a file bind, or code
  std::string content;  // of a file
  bool operator==(const ScratchDirectory&) const = default;
};

// Something to mount, made ready by the supervisor as a detached mount.
struct MountSource {
  enum class Kind : std::uint8_t {
    tree,
    scratch,
    devices,
    workspace,  // of the project, which the supervisor holds open
    build,      // what the compile step leaves for the program
  };
  Kind kind = Kind::tree;
  std::string path;  // tree, workspace: on the host
  bool may_be_file = false;
  SourceIdMap id_map = SourceIdMap::none;
  std::uint64_t attributes = 0;  // MOUNT_ATTR_*
  // scratch: a tmpfs
  std::optional<std::uint64_t> size_bytes;
  std::optional<std::uint64_t> inodes;
  std::vector<ScratchDirectory> directories;
  std::string limit;  // which limit its size is, for limits_hit: "tmp_bytes", "disk_bytes"
  bool operator==(const MountSource&) const = default;
};

struct ExecPlan {
  std::vector<std::string> command;
  std::vector<std::string> candidates;   // paths to try for command[0]
  std::vector<std::string> environment;  // "NAME=value"
  std::string cwd;
  bool tty = false;
  std::uint16_t tty_rows = 24;
  std::uint16_t tty_columns = 80;
  bool operator==(const ExecPlan&) const = default;
};

struct SandboxPlan {
  std::string sandbox_id;
  std::string hostname;
  LimitSet limits;  // in force: granted, and lowered to what the host allows
  std::vector<MountSource> sources;
  std::vector<MountCommand> commands;  // `descriptor` of an attach is an index into `sources`
  std::vector<ResourceLimit> resource_limits;
  std::string seccomp;
  bool report_denials = false;
  ExecPlan exec;
  bool operator==(const SandboxPlan&) const = default;
};

// A project that is not there is made by the first run. Only root can look.
enum class ProjectState : std::uint8_t { there, missing, unseen };

// What a plan depends on besides request and policy; gathered by resource/.
struct PlanFacts {
  std::string image_root;                      // on the host
  std::vector<std::string> image_environment;  // "NAME=value"
  std::optional<LanguageCommand>
      language;                       // where the request names one: its command, in place of the request's
  std::vector<std::string> writable;  // directories of the image whose thrown-away copies may be changed
  std::string workspace_dir;          // of a project, on the host; empty: a thrown-away one
  std::string workspace_tree;         // the generation of the project that is shown: "g/1"
  std::string workspace_branch;       // where what changes goes instead, on the project's disk: "b/ID"
  std::string workspace_view;         // where its files can be looked at now; empty: nowhere
  std::optional<std::uint64_t> project_bytes;  // what the project may hold; missing: no limit
  std::optional<std::uint64_t> project_inodes;
  bool workspace_flat = false;
  ProjectState project = ProjectState::there;  // where one was asked for
  std::string host_usr;                        // image `host`: the directory shown at /usr; else empty
  std::uint64_t nofile_hard = 4096;
  std::uint64_t stack_hard = ~0ULL;
  std::uint64_t memlock_hard = ~0ULL;
  std::uint64_t msgqueue_hard = ~0ULL;
  std::vector<bool> bind_is_file;  // per request.binds
  bool binds_of_client = false;    // of one who is not root: they give no more rights than that one has
};

}  // namespace sbx
