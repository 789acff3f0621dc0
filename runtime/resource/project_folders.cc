#include "resource/project_folders.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <string>

#include "os/file.h"

namespace sbx {
namespace {

constexpr mode_t kFolderMode = 0755;
constexpr mode_t kPermissions = 07777;

Result<void> restore_folder(int folder, const std::string& name, uid_t owner) {
  const struct stat status = TRY(os::stat_fd(folder, name));
  if (status.st_uid != owner && fchown(folder, owner, owner) != 0)
    return fail(system_error("fchown", name, errno));
  if ((status.st_mode & kPermissions) != kFolderMode && fchmod(folder, kFolderMode) != 0)
    return fail(system_error("fchmod", name, errno));
  for (const char* list : {"system.posix_acl_access", "system.posix_acl_default"}) {
    if (fremovexattr(folder, list) != 0 && errno != ENODATA && errno != ENOTSUP)
      return fail(system_error("fremovexattr", name, errno));
  }
  return {};
}

}  // namespace

Result<void> make_project_folders(int top, WorkspaceLayout layout, uid_t service_id) {
  if (layout == WorkspaceLayout::split) {
    for (const char* name : kProjectFolders) {
      if (mkdirat(top, name, kFolderMode) != 0 && errno != EEXIST)
        return fail(system_error("mkdir", name, errno));
    }
  }
  return restore_project_folders(top, layout, service_id);
}

Result<void> restore_project_folders(int top, WorkspaceLayout layout, uid_t service_id, bool may_lack) {
  const bool flat = layout == WorkspaceLayout::flat;
  TRY(restore_folder(top, "the top of the project", flat ? service_id : 0));
  if (flat) return {};
  for (const char* name : kProjectFolders) {
    const Result<UniqueFd> folder = os::open_resolved(top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                                                      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    if (!folder && may_lack && folder.error().error_number == ENOENT) continue;
    if (!folder) return fail(folder.error());
    TRY(restore_folder(folder->get(), name, service_id));
  }
  return {};
}

}  // namespace sbx
