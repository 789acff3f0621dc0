// Mounts of the child, by descriptor with the new mount API (fsopen(2), move_mount(2), mount_setattr(2)).
// Targets inside the new root are opened with openat2(2) so that no symbolic link of an image can lead a
// mount elsewhere (CVE-2021-30465, CVE-2026-41579).
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include "launch/child.h"
#include "os/raw.h"

namespace sbx {
namespace {

using raw::call;
using raw::pointer;

// asm-generic/errno-base.h; <cerrno> would bring in errno itself.
constexpr long kNoEntry = 2;
constexpr long kBadFile = 9;

class Mounter {
 public:
  Mounter(int stage_fd, int& root_fd) : stage_(stage_fd), root_(root_fd) {}

  long execute(const ChildMount& mount) const noexcept {
    switch (mount.action) {
    case MountAction::attach: return attach(mount.fd, mount.target);
    case MountAction::bind: return bind(stage_, below_stage(mount.source), mount);
    case MountAction::overlay: return overlay(mount, nullptr);
    case MountAction::user_overlay: return overlay(mount, "userxattr");
    case MountAction::proc: return proc(mount);
    case MountAction::devpts: return devpts(mount);
    case MountAction::mqueue: return new_mount("mqueue", nullptr, mount);
    case MountAction::mask_file: return mask_file(mount);
    case MountAction::mask_directory: return mask_directory(mount);
    case MountAction::read_only: return if_exists(bind(root_, mount.target, mount));
    case MountAction::enter_root: return enter_root(mount);
    }
    return -kBadFile;
  }

 private:
  static const char* below_stage(const char* path) noexcept { return path + 1; }
  static long if_exists(long result) noexcept { return result == -kNoEntry ? 0 : result; }

  long enter_root(const ChildMount& mount) const noexcept {
    const long fd =
        call(SYS_openat, stage_, pointer(below_stage(mount.source)), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return fd;
    root_ = static_cast<int>(fd);
    return 0;
  }

  long open_inside(const char* path) const noexcept {
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    return call(SYS_openat2, root_, pointer(path), pointer(&how), sizeof how);
  }

  long attach(int mount_fd, const char* target) const noexcept {
    if (target[0] == '/') {
      return call(SYS_move_mount, mount_fd, pointer(""), stage_, pointer(below_stage(target)),
                  MOVE_MOUNT_F_EMPTY_PATH);
    }
    const long fd = open_inside(target);
    if (fd < 0) return fd;
    const long result = attach_to(mount_fd, fd);
    (void)call(SYS_close, fd);
    return result;
  }

  static long attach_to(long mount_fd, long target) noexcept {
    return call(SYS_move_mount, mount_fd, pointer(""), target, pointer(""),
                MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
  }

  long attach_and_close(long mount_fd, const char* target) const noexcept {
    if (mount_fd < 0) return mount_fd;
    const long result = attach(static_cast<int>(mount_fd), target);
    (void)call(SYS_close, mount_fd);
    return result;
  }

  // A copy of the mount at `source`, with `attributes` added.
  static long copy_mount(int directory, const char* source, std::uint64_t added) noexcept {
    const long tree = call(SYS_open_tree, directory, pointer(source),
                           OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
    if (tree < 0 || added == 0) return tree;
    mount_attr attributes{};
    attributes.attr_set = added;
    const long set =
        call(SYS_mount_setattr, tree, pointer(""), AT_EMPTY_PATH, pointer(&attributes), sizeof attributes);
    if (set >= 0) return tree;
    (void)call(SYS_close, tree);
    return set;
  }

  long bind(int directory, const char* source, const ChildMount& mount) const noexcept {
    return attach_and_close(copy_mount(directory, source, mount.attributes), mount.target);
  }

  struct Option {
    const char* key;
    const char* value;
  };

  // A new file system with at most four options.
  long new_mount(const char* type, const Option (*options)[4], const ChildMount& mount) const noexcept {
    const long context = call(SYS_fsopen, pointer(type), FSOPEN_CLOEXEC);
    if (context < 0) return context;
    long result = 0;
    for (unsigned i = 0; options != nullptr && i < 4 && (*options)[i].key != nullptr && result >= 0; ++i) {
      const auto [key, value] = (*options)[i];
      result = call(SYS_fsconfig, context, value == nullptr ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING,
                    pointer(key), pointer(value), 0);
    }
    if (result >= 0) result = call(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, 0, 0, 0);
    if (result >= 0)
      result = call(SYS_fsmount, context, FSMOUNT_CLOEXEC, static_cast<long>(mount.attributes));
    (void)call(SYS_close, context);
    return attach_and_close(result, mount.target);
  }

  // Layers by path below the stage, which is the working directory then: descriptors as layers need a
  // newer kernel than 6.1.
  long overlay(const ChildMount& mount, const char* flag) const noexcept {
    const Option options[4] = {{"lowerdir", mount.source},
                               {mount.upper_dir != nullptr ? "upperdir" : nullptr, mount.upper_dir},
                               {"workdir", mount.work_dir},
                               {flag, nullptr}};
    return new_mount("overlay", &options, mount);
  }

  long proc(const ChildMount& mount) const noexcept {
    static constexpr Option kOptions[4] = {{"hidepid", "invisible"}};
    return new_mount("proc", &kOptions, mount);
  }

  // Few: the machine has one number of terminals for all sandboxes.
  long devpts(const ChildMount& mount) const noexcept {
    static constexpr Option kOptions[4] = {{"ptmxmode", "0666"}, {"mode", "0620"}, {"max", "16"}};
    return new_mount("devpts", &kOptions, mount);
  }

  // The target first: to close a copy that was attached nowhere waits for a grace period.
  template <typename CopyMount>
  long mask(const char* target, CopyMount copy) const noexcept {
    const long fd = open_inside(target);
    if (fd < 0) return if_exists(fd);
    const long tree = copy();
    const long result = tree < 0 ? tree : attach_to(tree, fd);
    if (tree >= 0) (void)call(SYS_close, tree);
    (void)call(SYS_close, fd);
    return result;
  }

  long mask_directory(const ChildMount& mount) const noexcept {
    return mask(mount.target,
                [&] { return copy_mount(stage_, below_stage(mount.source), mount.attributes); });
  }

  // /dev/null over a file of /proc; the source is our own node, and checked (CVE-2025-31133).
  long mask_file(const ChildMount& mount) const noexcept {
    return mask(mount.target, [&]() -> long {
      const long tree = copy_mount(root_, "dev/null", 0);
      struct stat status {};
      const long result = tree < 0 ? tree : call(SYS_fstat, tree, pointer(&status));
      if (result >= 0 && S_ISCHR(status.st_mode) && status.st_rdev == 0x103) return tree;
      if (tree >= 0) (void)call(SYS_close, tree);
      return result < 0 ? result : -kBadFile;
    });
  }

  int stage_;
  int& root_;
};

}  // namespace

long make_child_mounts(const ChildPlan& plan, int& root_fd, std::uint32_t& index) noexcept {
  // The stage is opened here and not before: a descriptor from the spawner would lead to the host's mount.
  const long stage = call(SYS_openat, AT_FDCWD, pointer(plan.stage), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (stage < 0) return stage;
  const long moved = call(SYS_fchdir, stage);
  if (moved < 0) return moved;
  const Mounter mounter(static_cast<int>(stage), root_fd);
  for (index = 0; index < plan.mount_count; ++index) {
    const long result = mounter.execute(plan.mounts[index]);
    if (result < 0) return result;
  }
  return root_fd < 0 ? -kBadFile : 0;
}

}  // namespace sbx
