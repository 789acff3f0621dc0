#include "resource/projects.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/names.h"
#include "base/scope_exit.h"
#include "os/file.h"

namespace sbx {
namespace {

Result<void> make_owned(int directory, const std::string& name, uid_t owner) {
  if (mkdirat(directory, name.c_str(), 0755) != 0) return fail(system_error("mkdir", name, errno));
  if (fchownat(directory, name.c_str(), owner, owner, AT_SYMLINK_NOFOLLOW) != 0) {
    return fail(system_error("chown", name, errno));
  }
  if (fchmodat(directory, name.c_str(), 0755, 0) != 0) return fail(system_error("chmod", name, errno));
  return {};
}

Result<void> fill_project(int directory, WorkspaceLayout layout, uid_t service_id) {
  const bool flat = layout == WorkspaceLayout::flat;
  TRY(make_owned(directory, "workspace", flat ? service_id : 0));
  if (!flat) {
    for (const char* name : {"workspace/project_files", "workspace/agent_workspace", "workspace/outputs"}) {
      TRY(make_owned(directory, name, service_id));
    }
  }
  return os::replace_file(directory, "layout", flat ? "flat\n" : "split\n", 0600);
}

// Appears under its name whole or not at all. One at a time: what a killed maker left is nobody's.
Result<void> make_project(const std::string& projects, const std::string& id, WorkspaceLayout layout,
                          uid_t service_id) {
  TRY(os::make_directories(projects, 0700));
  const UniqueFd parent = TRY(os::open_at(AT_FDCWD, projects, O_RDONLY | O_DIRECTORY));
  if (flock(parent.get(), LOCK_EX) != 0) return fail(system_error("flock", projects, errno));
  const char* temporary = ".new";  // no name of a project starts with a dot
  TRY(os::remove_tree(parent.get(), temporary));
  if (faccessat(parent.get(), (id + "/layout").c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) return {};
  ScopeExit undo([&] { (void)os::remove_tree(parent.get(), temporary); });
  if (mkdirat(parent.get(), temporary, 0700) != 0) return fail(system_error("mkdir", temporary, errno));
  const UniqueFd directory = TRY(os::open_at(parent.get(), temporary, O_RDONLY | O_DIRECTORY));
  TRY(fill_project(directory.get(), layout, service_id));
  if (renameat(parent.get(), temporary, parent.get(), id.c_str()) != 0) {
    return fail(system_error("rename", id, errno));
  }
  undo.dismiss();
  return {};
}

// A guest owns its folders and may have taken its own rights to them away: the next run has them again.
Result<void> restore_folders(const Project& project, uid_t service_id) {
  const UniqueFd top = TRY(os::open_at(AT_FDCWD, project.workspace, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  std::vector<std::string> folders{"."};
  if (project.layout == WorkspaceLayout::split) folders = {"project_files", "agent_workspace", "outputs"};
  for (const std::string& name : folders) {
    const UniqueFd folder = TRY(os::open_resolved(top.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                                                  RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS));
    const struct stat status = TRY(os::stat_fd(folder.get(), name));
    if (status.st_uid != service_id && fchown(folder.get(), service_id, service_id) != 0) {
      return fail(system_error("fchown", name, errno));
    }
    if ((status.st_mode & 07777) != 0755 && fchmod(folder.get(), 0755) != 0) {
      return fail(system_error("fchmod", name, errno));
    }
    for (const char* list : {"system.posix_acl_access", "system.posix_acl_default"}) {
      if (fremovexattr(folder.get(), list) != 0 && errno != ENODATA && errno != ENOTSUP) {
        return fail(system_error("fremovexattr", name, errno));
      }
    }
  }
  return {};
}

std::string project_directory(const std::string& state_dir, const std::string& id) {
  return state_dir + "/projects/" + id;
}

// Error: ENOENT when there is no such project.
Result<WorkspaceLayout> stored_layout(const std::string& state_dir, const std::string& id) {
  const std::string text = TRY(os::read_file(AT_FDCWD, project_directory(state_dir, id) + "/layout", 64));
  if (text == "flat\n") return WorkspaceLayout::flat;
  if (text == "split\n") return WorkspaceLayout::split;
  return fail("project '" + id + "': its layout file says neither flat nor split");
}

}  // namespace

Result<Project> open_project(const std::string& state_dir, const std::string& id, WorkspaceLayout layout,
                             std::uint32_t service_id) {
  TRY(check_name("--project", id));
  const std::string projects = state_dir + "/projects";
  Result<WorkspaceLayout> stored = stored_layout(state_dir, id);
  if (!stored && stored.error().error_number == ENOENT) {
    TRY_DOING("making project '" + id + "' in '" + projects + "'",
              make_project(projects, id, layout, service_id));
    stored = stored_layout(state_dir, id);
  }
  const WorkspaceLayout found = TRY(std::move(stored));
  const Project project{project_directory(state_dir, id) + "/workspace", found};
  TRY_DOING("project '" + id + "'", restore_folders(project, service_id));
  return project;
}

Result<Project> look_up_project(const std::string& state_dir, const std::string& id, WorkspaceLayout layout,
                                ProjectState& state) {
  TRY(check_name("--project", id));
  const Result<WorkspaceLayout> stored = stored_layout(state_dir, id);
  const int error = stored ? 0 : stored.error().error_number;
  if (!stored && error != ENOENT && error != EACCES) return fail(stored.error());
  state = stored ? ProjectState::there : error == ENOENT ? ProjectState::missing : ProjectState::unseen;
  return Project{project_directory(state_dir, id) + "/workspace", stored ? *stored : layout};
}

}  // namespace sbx
