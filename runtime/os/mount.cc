#include "os/mount.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cstdio>

namespace sbx::os {
namespace {

// The kernel explains a refused option in a line read from the context itself (fsopen(2)).
Error mount_error(std::string_view call, const std::string& type, int context, int error_number) {
  Error error = system_error(call, type, error_number);
  std::array<char, 512> line{};
  const ssize_t size = read(context, line.data(), line.size());
  if (size > 2) {
    std::string_view text(line.data(), static_cast<std::size_t>(size));
    text.remove_prefix(2);  // "e " or "w "
    while (text.ends_with('\n')) text.remove_suffix(1);
    error.text += ": " + std::string(text);
  }
  return error;
}

Result<void> set_attributes(int fd, std::string_view what, mount_attr attributes) {
  if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0) {
    return fail(system_error("mount_setattr", what, errno));
  }
  return {};
}

}  // namespace

Result<UniqueFd> new_mount(const std::string& type, const MountOptions& options, std::uint64_t attributes) {
  const UniqueFd context(static_cast<int>(syscall(SYS_fsopen, type.c_str(), FSOPEN_CLOEXEC)));
  if (!context.valid()) return fail(system_error("fsopen", type, errno));
  for (const auto& [key, value] : options) {
    if (syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_STRING, key.c_str(), value.c_str(), 0) != 0) {
      return fail(mount_error("fsconfig " + key + "=" + value, type, context.get(), errno));
    }
  }
  if (syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return fail(mount_error("creating the file system", type, context.get(), errno));
  }
  UniqueFd mount(static_cast<int>(syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, attributes)));
  if (!mount.valid()) return fail(mount_error("fsmount", type, context.get(), errno));
  return mount;
}

Result<UniqueFd> clone_mount(int fd, std::string_view what, std::uint64_t attributes, std::uint64_t cleared) {
  UniqueFd tree(
      static_cast<int>(syscall(SYS_open_tree, fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH)));
  if (!tree.valid()) return fail(system_error("open_tree", what, errno));
  mount_attr change{};
  change.attr_set = attributes;
  change.attr_clr = cleared;
  change.propagation = 1ULL << 18U;  // MS_PRIVATE: what is mounted on it here stays here
  TRY(set_attributes(tree.get(), what, change));
  return tree;
}

Result<void> set_mount_attributes(int mount_fd, std::string_view what, std::uint64_t attributes) {
  mount_attr change{};
  change.attr_set = attributes;
  return set_attributes(mount_fd, what, change);
}

Result<void> enter_own_mount_namespace() {
  if (unshare(CLONE_NEWNS) != 0) return fail(system_error("unshare", "the mount namespace", errno));
  // What the host unmounts is to go away here, too.
  if (mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0)
    return fail(system_error("mount MS_SLAVE", "/", errno));
  return {};
}

Result<void> attach_mount(int mount_fd, const std::string& path) {
  if (syscall(SYS_move_mount, mount_fd, "", AT_FDCWD, path.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0)
    return fail(system_error("move_mount", path, errno));
  return {};
}

Result<void> id_map_mount(int mount_fd, int user_namespace_fd, std::string_view what) {
  mount_attr change{};
  change.attr_set = MOUNT_ATTR_IDMAP;
  change.userns_fd = static_cast<std::uint64_t>(user_namespace_fd);
  return set_attributes(mount_fd, what, change);
}

std::string file_system_name(int fd) {
  struct statfs status {};
  if (fstatfs(fd, &status) != 0) return "an unknown file system";
  struct Known {
    std::uint64_t magic;
    const char* name;
  };
  static constexpr std::array<Known, 14> kKnown{{{0xEF53, "ext4"},
                                                 {0x58465342, "xfs"},
                                                 {0x9123683E, "btrfs"},
                                                 {0x01021994, "tmpfs"},
                                                 {0x794C7630, "overlay"},
                                                 {0x6969, "nfs"},
                                                 {0x65735546, "fuse"},
                                                 {0x01021997, "9p"},
                                                 {0x73717368, "squashfs"},
                                                 {0xE0F5E1E2, "erofs"},
                                                 {0x2FC12FC1, "zfs"},
                                                 {0xFF534D42, "cifs"},
                                                 {0x4D44, "vfat"},
                                                 {0xF2F52010, "f2fs"}}};
  const auto magic = static_cast<std::uint64_t>(static_cast<std::uint32_t>(status.f_type));
  for (const Known& known : kKnown) {
    if (known.magic == magic) return known.name;
  }
  std::array<char, 32> text{};
  (void)std::snprintf(text.data(), text.size(), "file system 0x%llx", static_cast<unsigned long long>(magic));
  return text.data();
}

}  // namespace sbx::os
