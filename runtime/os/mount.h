// Detached mounts (fsopen(2), open_tree(2), mount_setattr(2)): made and configured before anybody can see
// them. A detached mount goes away with its last descriptor.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx::os {

using MountOptions = std::vector<std::pair<std::string, std::string>>;

// A new file system of `type`, not attached. `attributes` is a set of MOUNT_ATTR_*.
Result<UniqueFd> new_mount(const std::string& type, const MountOptions& options, std::uint64_t attributes);

// A copy of the mount at `fd` (O_PATH), that file or directory as its root, without the mounts below it.
// `attributes` are set, `cleared` are taken away.
Result<UniqueFd> clone_mount(int fd, std::string_view what, std::uint64_t attributes, std::uint64_t cleared);

// Sets `attributes` of a detached mount.
Result<void> set_mount_attributes(int mount_fd, std::string_view what, std::uint64_t attributes);

// Where what is attached stays unseen by all other processes, and goes away with this one. What is open
// before belongs to the mounts of before, which can no longer be copied.
Result<void> enter_own_mount_namespace();

// Attaches a detached mount at the directory `path`.
Result<void> attach_mount(int mount_fd, const std::string& path);

// Gives a detached mount the id map of a user namespace (MOUNT_ATTR_IDMAP). EINVAL: its file system
// cannot be id-mapped.
Result<void> id_map_mount(int mount_fd, int user_namespace_fd, std::string_view what);

// "ext4", "overlay", …; a hexadecimal magic number for what we do not know.
std::string file_system_name(int fd);

}  // namespace sbx::os
