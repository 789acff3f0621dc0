// The workspace of a project as a file with an ext4 file system in it: its size and number of inodes are
// limits that the kernel keeps on every path of writing. All of its space is taken from the host's file
// system when it is made, so that a full disk of the host is never an error of a disk inside.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx {

inline constexpr const char* kProjectImage = "workspace.ext4";

// What a project may hold: file contents, and files with directories. The file system rounds both up.
struct ProjectLimits {
  std::optional<std::uint64_t> bytes;
  std::optional<std::uint64_t> inodes;
  bool operator==(const ProjectLimits&) const = default;
};

// Makes the file in `directory`. `limits.bytes` is set; without `inodes` one for 16K. `lock`: keeps others
// from `directory`; what works at the file has it open, too. Error: ENOSPC when the host's file system has no
// room for it, ENOENT when mke2fs(8) is missing.
Result<void> make_project_image(const std::string& directory, const ProjectLimits& limits, int lock);

// Its file system, a detached mount that is nosuid and nodev. Runs at the same time share one block device.
// The caller holds a lock that keeps others from mounting or replacing it in the meantime.
Result<UniqueFd> mount_project_image(const std::string& directory);

// Whether a sandbox, perhaps one whose supervisor was killed, still has it mounted.
Result<bool> project_image_is_mounted(const std::string& directory);

// Gives it room for `bytes`, on a copy that takes its place when it is done: whatever happens, one of both is
// there. It must not be mounted. The number of inodes per byte stays, and what is stored does. `lock` as
// above. Error: too small for what is in it.
Result<void> resize_project_image(const std::string& directory, const ProjectLimits& limits, int lock);

}  // namespace sbx
