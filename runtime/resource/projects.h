// Projects: what remains when every sandbox is gone. STATE/projects/ID/ holds `layout` and `workspace/`.
#pragma once

#include <string>

#include "base/result.h"
#include "plan/sandbox_plan.h"
#include "policy/policy.h"

namespace sbx {

struct Project {
  std::string workspace;  // the directory shown at /workspace
  WorkspaceLayout layout = WorkspaceLayout::split;
};

// The project `id`, made with `layout` when there is none yet. Its files belong to `service_id`; the top of a
// split workspace belongs to the host's root, so that no guest can replace its folders.
Result<Project> open_project(const std::string& state_dir, const std::string& id, WorkspaceLayout layout,
                             std::uint32_t service_id);

// The same project for those who only ask: nothing is made, restored or otherwise changed. Where there is
// none, or `state` is unseen, it is the one that would be made.
Result<Project> look_up_project(const std::string& state_dir, const std::string& id, WorkspaceLayout layout,
                                ProjectState& state);

}  // namespace sbx
