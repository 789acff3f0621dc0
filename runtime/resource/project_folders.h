// The top of a generation of a project: with the layout `split` three folders that a guest owns, in a
// directory that it does not.
#pragma once

#include <sys/types.h>

#include <array>

#include "base/result.h"
#include "policy/policy.h"

namespace sbx {

inline constexpr std::array<const char*, 3> kProjectFolders{"project_files", "agent_workspace", "outputs"};

// Makes the folders of a new generation in the directory `top`.
Result<void> make_project_folders(int top, WorkspaceLayout layout, uid_t service_id);

// A guest owns its folders and may have taken its own rights to them away: the next run has them again.
// `may_lack`: what is not there is left so; in the upper layer of a transaction only what was changed is.
Result<void> restore_project_folders(int top, WorkspaceLayout layout, uid_t service_id,
                                     bool may_lack = false);

}  // namespace sbx
