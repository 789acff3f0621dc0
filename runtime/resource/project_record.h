// What a project says about itself, in two small files: `layout` ("split" or "flat"), the last to appear when
// it is made, and `storage`: "directory", "image BYTES INODES" or "quota BYTES INODES ID", a missing number
// as "none".
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "policy/policy.h"
#include "resource/project_image.h"

namespace sbx {

enum class ProjectStorage : std::uint8_t {
  directory,  // without limits
  image,      // a file system of its own (project_image.h)
  quota,      // a directory with a project quota (project_quota.h)
};

struct ProjectRecord {
  WorkspaceLayout layout = WorkspaceLayout::split;
  ProjectStorage storage = ProjectStorage::directory;
  ProjectLimits limits;
  std::uint32_t quota_id = 0;  // of `quota`
};

// `directory` is STATE/projects/ID. Error: ENOENT when there is no such project.
Result<ProjectRecord> read_project_record(const std::string& directory);
Result<void> write_project_record(const std::string& directory, const ProjectRecord& record);

// An id for the project quota of the file system that no project below `projects` has had. The caller holds
// its lock.
Result<std::uint32_t> next_quota_id(const std::string& projects);

}  // namespace sbx
