#include "resource/projects.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <iterator>

#include "base/names.h"
#include "base/scope_exit.h"
#include "os/file.h"
#include "os/unfinished_files.h"
#include "resource/host_needs.h"
#include "resource/project_quota.h"
#include "resource/project_record.h"

namespace sbx {
namespace {

constexpr const char* kInUse = "/in_use";
constexpr const char* kHalfMade = ".new";  // no name of a project starts with a dot
constexpr const char* kMounting = "/mounting";
constexpr std::uint64_t kReservedInodes = 10;  // of ext4, its root among them
constexpr const char* kFolders[] = {"project_files", "agent_workspace", "outputs"};

std::string project_directory(const std::string& state_dir, const std::string& id) {
  return state_dir + "/projects/" + id;
}

// A guest owns its folders and may have taken its own rights to them away: the next run has them again.
Result<void> restore_folder(int top, const std::string& name, uid_t owner) {
  const UniqueFd folder = TRY(os::open_resolved(top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                                                RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS));
  const struct stat status = TRY(os::stat_fd(folder.get(), name));
  if (status.st_uid != owner && fchown(folder.get(), owner, owner) != 0) {
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
  return {};
}

Result<void> restore_folders(int top, WorkspaceLayout layout, uid_t service_id) {
  if (layout == WorkspaceLayout::flat) return restore_folder(top, ".", service_id);
  for (const char* name : kFolders) TRY(restore_folder(top, name, service_id));
  return {};
}

// Of a new project.
Result<void> make_folders(int top, WorkspaceLayout layout, uid_t service_id) {
  // mke2fs(8) makes it for e2fsck(8), which can do without.
  if (unlinkat(top, "lost+found", AT_REMOVEDIR) != 0 && errno != ENOENT) {
    return fail(system_error("rmdir", "lost+found", errno));
  }
  if (layout == WorkspaceLayout::split) {
    for (const char* name : kFolders) {
      if (mkdirat(top, name, 0755) != 0) return fail(system_error("mkdir", name, errno));
    }
  }
  return restore_folders(top, layout, service_id);
}

// Makes one project in a directory that nobody sees yet.
class Maker {
 public:
  // `lock`: on `projects`.
  Maker(std::string projects, int lock, std::string directory, const ProjectWish& wish, uid_t service_id)
      : projects_(std::move(projects)),
        lock_(lock),
        directory_(std::move(directory)),
        wish_(wish),
        service_id_(service_id) {}

  Result<void> make() const {
    ProjectRecord record{wish_.layout, ProjectStorage::directory, {}, 0};
    if (wish_.limits.bytes) record = TRY(make_limited(record));
    if (record.storage == ProjectStorage::directory) {
      const UniqueFd top = TRY(make_workspace());
      TRY(make_folders(top.get(), wish_.layout, service_id_));
    }
    // Its locks are there from the start: a full disk must not keep anybody from a project.
    for (const char* lock : {kInUse, kMounting}) {
      (void)TRY(os::open_at(AT_FDCWD, directory_ + lock, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    }
    return write_project_record(directory_, record);
  }

 private:
  Result<UniqueFd> make_workspace() const {
    const std::string path = directory_ + "/workspace";
    if (mkdir(path.c_str(), 0755) != 0) return fail(system_error("mkdir", path, errno));
    if (chmod(path.c_str(), 0755) != 0) return fail(system_error("chmod", path, errno));
    return os::open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
  }

  Result<ProjectRecord> make_limited(ProjectRecord record) const {
    record.limits = wish_.limits;
    const UniqueFd top = TRY(make_workspace());
    if (counts_by_project(top.get())) {
      record.quota_id = TRY(next_quota_id(projects_));
      const bool kept = TRY(set_project_quota(top.get(), record.quota_id, wish_.limits));
      if (kept) {
        record.storage = ProjectStorage::quota;
        TRY(make_folders(top.get(), wish_.layout, service_id_));
        return record;
      }
    }
    if (rmdir((directory_ + "/workspace").c_str()) != 0)
      return fail(system_error("rmdir", "workspace", errno));
    const Result<void> image = make_image();
    if (image) {
      record.storage = ProjectStorage::image;
      return record;
    }
    if (!wish_.may_be_unlimited || image.error().error_number == ENOSPC) return fail(image.error());
    (void)unlink((directory_ + "/" + kProjectImage).c_str());
    return ProjectRecord{wish_.layout, ProjectStorage::directory, {}, 0};
  }

  Result<void> make_image() const {
    Result<void> made = make_project_image(directory_, wish_.limits, lock_);
    if (!made && made.error().error_number == ENOSPC) {
      Error error = std::move(made).error();
      error.text += "; a project takes all of its room at once: free space, or ask for less (--disk)";
      return fail(std::move(error));
    }
    if (!made) return fail(with_need(std::move(made).error(), HostNeed::project_disk));
    Result<UniqueFd> top = mount_project_image(directory_);
    if (!top) return fail(with_need(std::move(top).error(), HostNeed::project_disk));
    return make_folders(top->get(), wish_.layout, service_id_);
  }

  std::string projects_;
  int lock_;
  std::string directory_;
  const ProjectWish& wish_;
  uid_t service_id_;
};

// Appears under its name whole or not at all. One at a time: what a killed maker left is nobody's.
Result<void> make_project(const std::string& projects, const std::string& id, const ProjectWish& wish,
                          uid_t service_id) {
  TRY(os::make_directories(projects, 0700));
  const UniqueFd parent = TRY(os::open_at(AT_FDCWD, projects, O_RDONLY | O_DIRECTORY));
  if (flock(parent.get(), LOCK_EX) != 0) return fail(system_error("flock", projects, errno));
  TRY(os::remove_tree(parent.get(), kHalfMade));
  if (faccessat(parent.get(), (id + "/layout").c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) return {};
  ScopeExit undo([&] { (void)os::remove_tree(parent.get(), kHalfMade); });
  if (mkdirat(parent.get(), kHalfMade, 0700) != 0) return fail(system_error("mkdir", kHalfMade, errno));
  TRY(Maker(projects, parent.get(), projects + "/" + kHalfMade, wish, service_id).make());
  if (renameat(parent.get(), kHalfMade, parent.get(), id.c_str()) != 0) {
    return fail(system_error("rename", id, errno));
  }
  undo.dismiss();
  return {};
}

std::string path_for_people(const std::string& directory, ProjectStorage storage) {
  return directory + "/" + (storage == ProjectStorage::image ? kProjectImage : "workspace");
}

// A project that is there, being opened.
class Opener {
 public:
  Opener(std::string directory, const ProjectWish& wish, uid_t service_id)
      : directory_(std::move(directory)), wish_(wish), service_id_(service_id) {}

  Result<Project> open(std::vector<std::string>& degradations) {
    record_ = TRY(read_project_record(directory_));
    TRY(hold());
    TRY(check_limits(degradations));
    Project project;
    project.workspace = path_for_people(directory_, record_.storage);
    project.layout = record_.layout;
    project.limits = record_.limits;
    project.is_mount = record_.storage == ProjectStorage::image;
    project.own_inodes = project.is_mount ? kReservedInodes : 1;  // its own
    if (project.layout == WorkspaceLayout::split) project.own_inodes += std::size(kFolders);
    project.top = TRY(open_top());
    TRY(restore_folders(project.top.get(), project.layout, service_id_));
    project.in_use = std::move(in_use_);
    return project;
  }

 private:
  Result<void> hold() {
    in_use_ = TRY(os::open_at(AT_FDCWD, directory_ + kInUse, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    if (flock(in_use_.get(), LOCK_SH | LOCK_NB) == 0) return remove_half_made();
    if (errno != EWOULDBLOCK) return fail(system_error("flock", directory_ + kInUse, errno));
    return fail("another run is changing its size; try again");
  }

  // What a killed run left: nobody changes its size now.
  [[nodiscard]] Result<void> remove_half_made() const {
    const UniqueFd directory = TRY(os::open_at(AT_FDCWD, directory_, O_RDONLY | O_DIRECTORY));
    (void)TRY(os::remove_unfinished_files(directory.get()));
    const std::string copy = std::string(kProjectImage) + kHalfMade;
    if (unlinkat(directory.get(), copy.c_str(), 0) == 0 || errno == ENOENT) return {};
    return fail(system_error("unlink", copy, errno));
  }

  Result<UniqueFd> open_top() const {
    if (record_.storage != ProjectStorage::image) {
      return os::open_at(AT_FDCWD, directory_ + "/workspace", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    }
    // Two that look for its block device at once would make two, and with them two ideas of what is stored.
    const auto lock = TRY(os::lock_file(AT_FDCWD, directory_ + kMounting, true));
    Result<UniqueFd> top = mount_project_image(directory_);
    if (!top) return fail(with_need(std::move(top).error(), HostNeed::project_disk));
    return top;
  }

  Result<void> check_limits(std::vector<std::string>& degradations) {
    if (record_.storage == ProjectStorage::directory) return check_unlimited(degradations);
    ProjectLimits wanted = record_.limits;
    if (wish_.asked.bytes) wanted.bytes = wish_.asked.bytes;
    if (wish_.asked.inodes) wanted.inodes = wish_.asked.inodes;
    if (wanted == record_.limits) return {};
    if (record_.storage == ProjectStorage::quota) {
      const UniqueFd top = TRY(open_top());
      TRY_DOING("changing its limits", change_project_quota(top.get(), record_.quota_id, wanted));
    } else {
      TRY(resize_image(wanted));
    }
    record_.limits = wanted;
    return write_project_record(directory_, record_);
  }

  Result<void> check_unlimited(std::vector<std::string>& degradations) const {
    if (wish_.asked.bytes || wish_.asked.inodes) {
      return fail("it was made without a limit of its size, and cannot get one (--disk, --inodes)");
    }
    if (!wish_.limits.bytes) return {};
    if (!wish_.may_be_unlimited) {
      return fail(
          "it was made without a limit of its size, which this policy does not allow: take its files to a "
          "new project, or use a policy with 'allow_degraded: [disk]'");
    }
    degradations.emplace_back("disk");
    return {};
  }

  // Inodes come with the bytes, in the proportion in which the project was made.
  Result<void> resize_image(ProjectLimits& wanted) const {
    const std::uint64_t before = record_.limits.inodes.value_or(0);
    const bool other_bytes = wanted.bytes != record_.limits.bytes;
    if (before != 0 && other_bytes) {
      const auto scaled = static_cast<long double>(before) * static_cast<long double>(*wanted.bytes) /
                          static_cast<long double>(*record_.limits.bytes);
      if (!wish_.asked.inodes) wanted.inodes = static_cast<std::uint64_t>(scaled);
    }
    if (wish_.asked.inodes && wanted.inodes != record_.limits.inodes) {
      return fail("--inodes: the number was fixed when it was made (" + std::to_string(before) +
                  ") and only grows with its size (--disk)");
    }
    const bool alone = flock(in_use_.get(), LOCK_EX | LOCK_NB) == 0;
    if (!alone && errno != EWOULDBLOCK) return fail(system_error("flock", directory_ + kInUse, errno));
    const bool mounted = TRY(project_image_is_mounted(directory_));
    if (!alone || mounted)
      return fail("--disk: a sandbox uses it now; its size can be changed when none does");
    TRY_DOING("changing its size", resize_project_image(directory_, wanted, in_use_.get()));
    if (flock(in_use_.get(), LOCK_SH) != 0) return fail(system_error("flock", directory_ + kInUse, errno));
    return {};
  }

  std::string directory_;
  const ProjectWish& wish_;
  uid_t service_id_;
  ProjectRecord record_;
  UniqueFd in_use_;
};

}  // namespace

Result<Project> open_project(const std::string& state_dir, const std::string& id, const ProjectWish& wish,
                             std::uint32_t service_id, std::vector<std::string>& degradations) {
  TRY(check_name("--project", id));
  const std::string projects = state_dir + "/projects";
  const std::string directory = project_directory(state_dir, id);
  if (access((directory + "/layout").c_str(), F_OK) != 0 && errno == ENOENT) {
    TRY_DOING("making project '" + id + "' in '" + projects + "'",
              make_project(projects, id, wish, service_id));
  }
  return TRY_DOING("project '" + id + "'", Opener(directory, wish, service_id).open(degradations));
}

Result<void> reset_workspace(const Project& project) {
  if (project.layout == WorkspaceLayout::flat) return {};
  for (const std::string folder : {"agent_workspace", "outputs"}) {
    const UniqueFd opened = TRY(os::open_resolved(project.top.get(), folder, O_RDONLY | O_DIRECTORY,
                                                  RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS));
    for (const std::string& name : TRY(os::list_directory(opened.get(), ".")))
      TRY(os::remove_tree(opened.get(), name));
  }
  return {};
}

Result<bool> remove_half_made_project(const std::string& state_dir) {
  const std::string projects = state_dir + "/projects";
  const std::string path = projects + "/" + kHalfMade;
  if (access(path.c_str(), F_OK) != 0) return false;
  const UniqueFd parent = TRY(os::open_at(AT_FDCWD, projects, O_RDONLY | O_DIRECTORY));
  if (flock(parent.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    return fail(system_error("flock", projects, errno));
  }
  if (access(path.c_str(), F_OK) != 0) return false;  // another run was making it, and is done
  TRY(os::remove_tree(parent.get(), kHalfMade));
  return true;
}

Result<Project> look_up_project(const std::string& state_dir, const std::string& id, const ProjectWish& wish,
                                ProjectState& state) {
  TRY(check_name("--project", id));
  const std::string directory = project_directory(state_dir, id);
  const Result<ProjectRecord> record = read_project_record(directory);
  const int error = record ? 0 : record.error().error_number;
  if (!record && error != ENOENT && error != EACCES) {
    return fail(Error(record.error()).while_doing("project '" + id + "'"));
  }
  state = record ? ProjectState::there : error == ENOENT ? ProjectState::missing : ProjectState::unseen;
  Project project;
  project.layout = record ? record->layout : wish.layout;
  project.limits = record ? record->limits : wish.limits;
  const ProjectStorage storage = record ? record->storage : ProjectStorage::directory;
  project.is_mount = storage == ProjectStorage::image;
  project.workspace = path_for_people(directory, storage);
  return project;
}

}  // namespace sbx
