// Projects: what remains when every sandbox is gone. STATE/projects/ID/ holds `layout`, `storage`, the
// records of project_store.h and the workspace: a directory `workspace/`, or a file system in
// `workspace.ext4`; in it the generations (generations.h).
//
// Locks (flock(2)) beside them, taken in this order; none survives its process:
//   in_use    shared by who has the project open; alone for who changes its size
//   changing  of who opens it, or changes its records or generations
//   writing   shared by runs that write to the head
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "plan/sandbox_plan.h"
#include "policy/policy.h"
#include "request/run_request.h"
#include "resource/project_image.h"

namespace sbx {

struct Project {
  std::string workspace;  // what is shown at /workspace, as a path for people
  WorkspaceLayout layout = WorkspaceLayout::split;
  ProjectLimits limits;          // that the kernel keeps; missing: none
  UniqueFd top;                  // its top directory; of a file system of its own, the detached mount
  bool is_mount = false;         // has a file system of its own
  std::uint64_t own_inodes = 0;  // of ours, which no limit counts
  std::string tree;              // of the generation that is shown, below `top`
  std::string branch;            // of what a transaction changes, below `top`; empty: it is none
  std::string transaction;       // its id; empty as well where nobody goes on with it
  UniqueFd generation;           // its directory, which stays as long as this is open
  UniqueFd branch_in_use;        // nobody else has the transaction
  UniqueFd writing;              // nothing is committed as long as this is open; of a persistent run
  UniqueFd in_use;               // nobody changes its size as long as this is open
};

// What a run brings along, for a project that is made or changed by it.
struct ProjectWish {
  WorkspaceLayout layout = WorkspaceLayout::split;  // of a new one
  ProjectLimits limits;                             // of a new one
  ProjectLimits asked;                              // by the caller, of this one, whenever it was made
  bool may_be_unlimited = false;                    // the policy allows the degradation "disk"
  WorkspaceMode mode = WorkspaceMode::persistent;
  bool show_changes = false;    // what an ephemeral run changes is on the project's disk until it ends
  std::string transaction;      // to go on with; empty: a new one
  bool afresh = false;          // that one is emptied
  std::string new_transaction;  // what a new one is called
  std::string task;             // that begins it
};

// The project `id`, made when there is none yet. Its files belong to `service_id`; the top of a split
// workspace belongs to the host's root, so that no guest can replace its folders. `degradations` gets "disk"
// where its limits cannot be kept and need not be.
Result<Project> open_project(const std::string& state_dir, const std::string& id, const ProjectWish& wish,
                             std::uint32_t service_id, std::vector<std::string>& degradations);

// Makes the project `id` as `wish` says for a new one. Errors: EEXIST; as of open_project().
Result<void> create_project(const std::string& state_dir, const std::string& id, const ProjectWish& wish,
                            std::uint32_t service_id);
// Gives it what `wish.asked` says. Errors: ENOENT; EBUSY while a sandbox uses it and its size cannot be
// changed then; too small for what is in it; it was made without limits.
Result<void> change_project_limits(const std::string& state_dir, const std::string& id,
                                   const ProjectWish& wish, std::uint32_t service_id);

std::string project_directory(const std::string& state_dir, const std::string& id);

// The lock `in_use` of the project in `directory`. Errors: EBUSY; ENOENT where it was renamed or deleted just
// then.
enum class ProjectHold : std::uint8_t { shared, alone };
Result<UniqueFd> hold_project(const std::string& directory, ProjectHold hold);

// A project without a run: for those who look at its generations and change them.
struct OpenedProject {
  WorkspaceLayout layout = WorkspaceLayout::split;
  std::string directory;         // STATE/projects/ID
  bool has_limits = false;       // its file system tells how full it is
  std::uint64_t own_inodes = 0;  // of ours, which no limit counts
  UniqueFd in_use;
  UniqueFd top;
};

// Error: ENOENT when there is no such project.
Result<OpenedProject> open_project_disk(const std::string& state_dir, const std::string& id);

// Held while its records and generations are changed; waits for it.
Result<UniqueFd> lock_changes(const std::string& directory);
// Whether a run writes to the head. The caller holds the lock of changes, so that none begins.
Result<bool> has_writers(const std::string& directory);

// Empties what commands write in: `agent_workspace` and `outputs`. A flat workspace has nothing of the kind.
Result<void> reset_workspace(const Project& project);

// Removes what a killed run left of a project that it was making, unless another run is making one now;
// whether there was something.
Result<bool> remove_half_made_project(const std::string& state_dir);

// The same project for those who only ask: nothing is made, mounted, restored or otherwise changed, and `top`
// is not open. Where there is none, or `state` is unseen, it is the one that would be made.
Result<Project> look_up_project(const std::string& state_dir, const std::string& id, const ProjectWish& wish,
                                ProjectState& state);

}  // namespace sbx
