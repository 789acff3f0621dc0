// Projects as things that an operator has: which there are, how much is in them, another name, their end.
// Locks are those of projects.h.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "resource/project_record.h"

namespace sbx {

struct ProjectInfo {
  std::string id;
  WorkspaceLayout layout = WorkspaceLayout::split;
  ProjectStorage storage = ProjectStorage::directory;
  ProjectLimits limits;                    // that the kernel keeps; missing: none
  bool in_use = false;                     // by a run or a sandbox, just now
  std::optional<std::int64_t> created_ms;  // missing: its file system does not tell
  std::int64_t used_ms = 0;                // when a run or a sandbox opened it last
};

// Of files and directories in it, with its transactions and snapshots.
struct ProjectUse {
  std::uint64_t bytes = 0;
  std::uint64_t inodes = 0;
};

// In the order of their ids. What is no project, or is gone meanwhile, is left out.
Result<std::vector<ProjectInfo>> list_projects(const std::string& state_dir);
// Error: ENOENT.
Result<ProjectInfo> look_at_project(const std::string& state_dir, const std::string& id);
// One without limits is walked through. Errors: ENOENT; EBUSY while its size or name is changed.
Result<ProjectUse> measure_project(const std::string& state_dir, const std::string& id, uid_t service_id);

// Errors of both: ENOENT; EBUSY while a run or a sandbox uses it. Killed anywhere, it is whole under one of
// the names. Error: EEXIST.
Result<void> rename_project(const std::string& state_dir, const std::string& id, const std::string& new_id);
// With all that is in it. Killed in between, it is gone all the same, and what is left of it goes with the
// next sweep.
Result<void> delete_project(const std::string& state_dir, const std::string& id);

// What a killed delete_project() left; how many.
Result<std::size_t> remove_deleted_projects(const std::string& state_dir);

}  // namespace sbx
