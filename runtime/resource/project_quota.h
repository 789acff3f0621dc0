// Limits of a directory by the project quota of its file system (quotactl(2), PRJQUOTA; ext4 and xfs mounted
// with prjquota). What is made below the directory belongs to it, and no guest can change that:
// FS_IOC_FSSETXATTR wants the initial user namespace, and the filter refuses it.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "resource/project_image.h"

namespace sbx {

// Whether the file system of a directory counts by project; whether it also keeps limits shows when one is
// set.
bool counts_by_project(int directory);

// Makes the empty directory the project `id` of its file system, with these limits.
// False: the file system keeps no such limits. The directory is then as it was, or has an id that means
// nothing.
Result<bool> set_project_quota(int directory, std::uint32_t id, const ProjectLimits& limits);

// Other limits for the same project. Error: they are below what is in it.
Result<void> change_project_quota(int directory, std::uint32_t id, const ProjectLimits& limits);

}  // namespace sbx
