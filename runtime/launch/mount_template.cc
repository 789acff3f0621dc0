#include "launch/mount_template.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "os/mount.h"

namespace sbx {
namespace {

constexpr const char* kOwnNamespace = "/proc/self/ns/mnt";

Result<UniqueFd> open_path(const char* path, int flags) {
  UniqueFd fd(open(path, flags | O_CLOEXEC));
  if (!fd.valid()) return fail(system_error("open", path, errno));
  return fd;
}

// In a mount namespace of its own: `root` and nothing else, /proc apart.
Result<void> make_tree() {
  TRY(os::enter_own_mount_namespace());
  const UniqueFd host_proc = TRY(open_path("/proc", O_PATH | O_DIRECTORY));
  const UniqueFd proc = TRY(os::clone_mount(host_proc.get(), "/proc", 0, 0));
  const UniqueFd root = TRY(os::new_mount("tmpfs", {{"mode", "0755"}, {"size", "64k"}, {"nr_inodes", "1024"}},
                                          MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  for (const char* directory : {"proc", MountTemplate::kStage + 1}) {
    if (mkdirat(root.get(), directory, 0700) != 0) return fail(system_error("mkdir", directory, errno));
  }
  TRY(os::attach_mount(root.get(), "/proc"));  // any directory will do
  if (fchdir(root.get()) != 0) return fail(system_error("fchdir", "", errno));
  TRY(os::attach_mount(proc.get(), "proc"));
  if (syscall(SYS_pivot_root, ".", ".") != 0) return fail(system_error("pivot_root", "", errno));
  if (umount2(".", MNT_DETACH) != 0) return fail(system_error("umount", "the old root", errno));
  return {};
}

}  // namespace

Result<MountTemplate::Visit> MountTemplate::Visit::begin() {
  Visit visit;
  visit.root_ = TRY(open_path("/", O_PATH | O_DIRECTORY));
  visit.directory_ = TRY(open_path(".", O_PATH | O_DIRECTORY));
  visit.home_ = TRY(open_path(kOwnNamespace, O_RDONLY));
  return visit;
}

MountTemplate::Visit::~Visit() {
  if (!home_.valid()) return;
  // The root first: that of the namespace is not ours when we run in a chroot.
  const bool back = setns(home_.get(), CLONE_NEWNS) == 0 && fchdir(root_.get()) == 0 && chroot(".") == 0 &&
                    fchdir(directory_.get()) == 0;
  if (!back) std::abort();
}

Result<MountTemplate> MountTemplate::make() {
  const Visit visit = TRY(Visit::begin());
  TRY_DOING("the mounts that sandboxes start with", make_tree());
  return MountTemplate(TRY(open_path(kOwnNamespace, O_RDONLY)));
}

Result<MountTemplate::Visit> MountTemplate::enter() const {
  Visit visit = TRY(Visit::begin());
  if (setns(namespace_.get(), CLONE_NEWNS) != 0)
    return fail(system_error("setns", "the mounts that sandboxes start with", errno));
  return visit;
}

}  // namespace sbx
