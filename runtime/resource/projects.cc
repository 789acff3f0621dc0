#include "resource/projects.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "base/names.h"
#include "base/scope_exit.h"
#include "base/times.h"
#include "os/file.h"
#include "os/unfinished_files.h"
#include "resource/generations.h"
#include "resource/host_needs.h"
#include "resource/project_quota.h"
#include "resource/project_record.h"
#include "resource/project_store.h"

namespace sbx {
namespace {

constexpr const char* kInUse = "/in_use";
constexpr const char* kHalfMade = ".new";  // no name of a project starts with a dot
constexpr const char* kMounting = "/mounting";
constexpr const char* kChanging = "/changing";
constexpr const char* kWriting = "/writing";
constexpr std::uint64_t kReservedInodes = 10;  // of ext4, its root among them

// Who looks at its files, or gives it another name, is done soon, and is no reason to refuse anything.
bool lock_in_time(int file, int kind) {
  constexpr auto kPatience = std::chrono::seconds(1);
  constexpr auto kPause = std::chrono::milliseconds(5);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (flock(file, kind | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK || std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(kPause);
  }
  return true;
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
      TRY(make_first_generation(top.get(), wish_.layout, service_id_));
    }
    // Its locks are there from the start: a full disk must not keep anybody from a project.
    for (const char* lock : {kInUse, kMounting, kChanging, kWriting}) {
      (void)TRY(os::open_at(AT_FDCWD, directory_ + lock, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    }
    TRY(ProjectStore(directory_).set_head({}));
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
        TRY(make_first_generation(top.get(), wish_.layout, service_id_));
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
    return make_first_generation(top->get(), wish_.layout, service_id_);
  }

  std::string projects_;
  int lock_;
  std::string directory_;
  const ProjectWish& wish_;
  uid_t service_id_;
};

// Appears under its name whole or not at all. One at a time: what a killed maker left is nobody's. False: it
// is there already.
Result<bool> make_project(const std::string& projects, const std::string& id, const ProjectWish& wish,
                          uid_t service_id) {
  TRY(os::make_directories(projects, 0700));
  const UniqueFd parent = TRY(os::open_at(AT_FDCWD, projects, O_RDONLY | O_DIRECTORY));
  if (flock(parent.get(), LOCK_EX) != 0) return fail(system_error("flock", projects, errno));
  TRY(os::remove_tree(parent.get(), kHalfMade));
  if (faccessat(parent.get(), (id + "/layout").c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) return false;
  ScopeExit undo([&] { (void)os::remove_tree(parent.get(), kHalfMade); });
  if (mkdirat(parent.get(), kHalfMade, 0700) != 0) return fail(system_error("mkdir", kHalfMade, errno));
  TRY(Maker(projects, parent.get(), projects + "/" + kHalfMade, wish, service_id).make());
  if (renameat(parent.get(), kHalfMade, parent.get(), id.c_str()) != 0) {
    return fail(system_error("rename", id, errno));
  }
  undo.dismiss();
  return true;
}

std::string path_for_people(const std::string& directory, ProjectStorage storage) {
  return directory + "/" + (storage == ProjectStorage::image ? kProjectImage : "workspace");
}

Result<UniqueFd> open_top(const std::string& directory, ProjectStorage storage) {
  if (storage != ProjectStorage::image) {
    return os::open_at(AT_FDCWD, directory + "/workspace", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  }
  // Two that look for its block device at once would make two, and with them two ideas of what is stored.
  const auto lock = TRY(os::lock_file(AT_FDCWD, directory + kMounting, true));
  Result<UniqueFd> top = mount_project_image(directory);
  if (!top) return fail(with_need(std::move(top).error(), HostNeed::project_disk));
  return top;
}

std::uint64_t own_inodes_of(ProjectStorage storage, WorkspaceLayout layout) {
  return (storage == ProjectStorage::image ? kReservedInodes : 1) + own_directories_of(layout);  // 1: its own
}

// Whether `file` is what has its path now.
bool is_still_there(int file, const std::string& path) {
  struct stat held {};
  struct stat there {};
  return fstat(file, &held) == 0 && lstat(path.c_str(), &there) == 0 && held.st_dev == there.st_dev &&
         held.st_ino == there.st_ino;
}

// A project that is there, being opened.
class Opener {
 public:
  Opener(std::string directory, const ProjectWish& wish, uid_t service_id)
      : directory_(std::move(directory)), wish_(wish), service_id_(service_id) {}

  Result<void> change_limits() {
    record_ = TRY(read_project_record(directory_));
    TRY(hold());
    std::vector<std::string> degradations;
    return check_limits(degradations);
  }

  Result<Project> open(std::vector<std::string>& degradations) {
    record_ = TRY(read_project_record(directory_));
    TRY(hold());
    TRY(check_limits(degradations));
    Project project;
    project.workspace = path_for_people(directory_, record_.storage);
    project.layout = record_.layout;
    project.limits = record_.limits;
    project.is_mount = record_.storage == ProjectStorage::image;
    project.own_inodes = own_inodes_of(record_.storage, project.layout);
    project.top = TRY(open_top(directory_, record_.storage));
    TRY(choose_generation(project));
    project.in_use = std::move(in_use_);
    return project;
  }

 private:
  Result<void> hold() {
    in_use_ = TRY(hold_project(directory_, ProjectHold::shared));
    (void)futimens(in_use_.get(), nullptr);  // when it was used last; no reason to refuse a run
    return remove_half_made();
  }

  // What a killed run left: nobody changes its size now.
  [[nodiscard]] Result<void> remove_half_made() const {
    const UniqueFd directory = TRY(os::open_at(AT_FDCWD, directory_, O_RDONLY | O_DIRECTORY));
    (void)TRY(os::remove_unfinished_files(directory.get()));
    const std::string copy = std::string(kProjectImage) + kHalfMade;
    if (unlinkat(directory.get(), copy.c_str(), 0) == 0 || errno == ENOENT) return {};
    return fail(system_error("unlink", copy, errno));
  }

  // Which generation the run sees, and what it may do there.
  Result<void> choose_generation(Project& project) const {
    const UniqueFd changing = TRY(lock_changes(directory_));
    if (!TRY(ProjectStore(directory_).head())) TRY(upgrade(project));
    Generations generations(ProjectStore(directory_), project.top.get(), project.layout, service_id_);
    TRY(generations.settle());
    const bool written = TRY(has_writers(directory_));
    std::uint64_t shown = generations.head().generation;
    if (wish_.mode == WorkspaceMode::transaction || wish_.show_changes) {
      shown = TRY(open_transaction(generations, written, project));
    } else if (wish_.mode == WorkspaceMode::persistent) {
      shown = TRY(generations.make_writable(written));
      project.writing =
          TRY(os::open_at(AT_FDCWD, directory_ + kWriting, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
      if (flock(project.writing.get(), LOCK_SH) != 0)
        return fail(system_error("flock", directory_ + kWriting, errno));
    }
    project.tree = generation_path(shown);
    project.generation = TRY(generations.hold(shown));
    return generations.restore_folders(project.generation.get(), false);
  }

  // A project of a version that had no generations.
  [[nodiscard]] Result<void> upgrade(const Project& project) const {
    if (flock(in_use_.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return fail(system_error("flock", directory_ + kInUse, errno));
      return fail("it was made by an older version, whose run uses it now; try again when that has ended");
    }
    TRY_DOING("its upgrade", move_into_first_generation(project.top.get(), project.layout, service_id_));
    TRY(ProjectStore(directory_).set_head({}));
    if (flock(in_use_.get(), LOCK_SH) != 0) return fail(system_error("flock", directory_ + kInUse, errno));
    return {};
  }

  // Its base. What is not to be gone on with has no record: it goes with the next who looks.
  Result<std::uint64_t> open_transaction(Generations& generations, bool written, Project& project) const {
    const bool is_new = wish_.transaction.empty();
    const std::string id = is_new ? wish_.new_transaction : wish_.transaction;
    project.branch = branch_path(id);
    if (!is_new) {
      project.transaction = id;
      const BranchRecord record = TRY(generations.store().branch(id));
      project.branch_in_use = TRY(generations.open_branch(id));
      if (wish_.afresh) TRY(generations.empty_branch(id));
      return record.base;
    }
    const std::uint64_t base = TRY(generations.make_lasting(written));
    project.branch_in_use = TRY(generations.make_branch(id));
    if (wish_.mode != WorkspaceMode::transaction) return base;
    project.transaction = id;
    TRY(generations.store().write_branch({id, base, rfc3339(utc_ms()), wish_.task, 0}));
    return base;
  }

  Result<void> check_limits(std::vector<std::string>& degradations) {
    if (record_.storage == ProjectStorage::directory) return check_unlimited(degradations);
    ProjectLimits wanted = record_.limits;
    if (wish_.asked.bytes) wanted.bytes = wish_.asked.bytes;
    if (wish_.asked.inodes) wanted.inodes = wish_.asked.inodes;
    if (wanted == record_.limits) return {};
    if (record_.storage == ProjectStorage::quota) {
      const UniqueFd top = TRY(open_top(directory_, record_.storage));
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
    const bool alone = lock_in_time(in_use_.get(), LOCK_EX);
    if (!alone && errno != EWOULDBLOCK) return fail(system_error("flock", directory_ + kInUse, errno));
    const bool mounted = TRY(project_image_is_mounted(directory_));
    if (!alone || mounted)
      return fail(Error{"--disk: a sandbox uses it now; its size can be changed when none does", EBUSY});
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

std::string project_directory(const std::string& state_dir, const std::string& id) {
  return state_dir + "/projects/" + id;
}

Result<UniqueFd> hold_project(const std::string& directory, ProjectHold hold) {
  const bool alone = hold == ProjectHold::alone;
  UniqueFd in_use = TRY(os::open_at(AT_FDCWD, directory + kInUse, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (!lock_in_time(in_use.get(), alone ? LOCK_EX : LOCK_SH)) {
    if (errno != EWOULDBLOCK) return fail(system_error("flock", directory + kInUse, errno));
    return fail(Error{alone ? "a run or a sandbox uses it now; try again when it has ended"
                            : "its size or name is being changed, or it is being deleted; try again",
                      EBUSY});
  }
  if (is_still_there(in_use.get(), directory + kInUse)) return in_use;
  return fail(Error{"it was renamed or deleted just now", ENOENT});
}

Result<void> create_project(const std::string& state_dir, const std::string& id, const ProjectWish& wish,
                            std::uint32_t service_id) {
  TRY(check_name("project", id));
  const std::string projects = state_dir + "/projects";
  const std::string what = "making project '" + id + "' in '" + projects + "'";
  const bool made = TRY_DOING(what, make_project(projects, id, wish, service_id));
  if (!made) return fail(Error{"there is a project '" + id + "' already", EEXIST});
  return {};
}

Result<void> change_project_limits(const std::string& state_dir, const std::string& id,
                                   const ProjectWish& wish, std::uint32_t service_id) {
  TRY(check_name("project", id));
  const std::string directory = project_directory(state_dir, id);
  const Result<void> changed = Opener(directory, wish, service_id).change_limits();
  if (!changed && changed.error().error_number == ENOENT && access(directory.c_str(), F_OK) != 0)
    return fail(Error{"there is no project '" + id + "' in '" + state_dir + "/projects'", ENOENT});
  TRY_DOING("project '" + id + "'", changed);
  return {};
}

Result<Project> open_project(const std::string& state_dir, const std::string& id, const ProjectWish& wish,
                             std::uint32_t service_id, std::vector<std::string>& degradations) {
  TRY(check_name("--project", id));
  const std::string projects = state_dir + "/projects";
  const std::string directory = project_directory(state_dir, id);
  if (access((directory + "/layout").c_str(), F_OK) != 0 && errno == ENOENT) {
    (void)TRY_DOING("making project '" + id + "' in '" + projects + "'",
                    make_project(projects, id, wish, service_id));
  }
  return TRY_DOING("project '" + id + "'", Opener(directory, wish, service_id).open(degradations));
}

Result<OpenedProject> open_project_disk(const std::string& state_dir, const std::string& id) {
  TRY(check_name("--project", id));
  OpenedProject opened;
  opened.directory = project_directory(state_dir, id);
  const std::string what = "project '" + id + "'";
  const Result<ProjectRecord> record = read_project_record(opened.directory);
  if (!record && record.error().error_number == ENOENT)
    return fail(Error{"there is no " + what + " in '" + state_dir + "/projects'", ENOENT});
  if (!record) return fail(Error(record.error()).while_doing(what));
  opened.layout = record->layout;
  opened.has_limits = record->storage != ProjectStorage::directory;
  opened.own_inodes = own_inodes_of(record->storage, record->layout);
  opened.in_use = TRY_DOING(what, hold_project(opened.directory, ProjectHold::shared));
  opened.top = TRY_DOING(what, open_top(opened.directory, record->storage));
  return opened;
}

Result<UniqueFd> lock_changes(const std::string& directory) {
  std::optional<UniqueFd> lock = TRY(os::lock_file(AT_FDCWD, directory + kChanging, true));
  return std::move(*lock);
}

Result<bool> has_writers(const std::string& directory) {
  const std::optional<UniqueFd> alone = TRY(os::lock_file(AT_FDCWD, directory + kWriting, false));
  return !alone.has_value();
}

Result<void> reset_workspace(const Project& project) {
  if (project.layout == WorkspaceLayout::flat) return {};
  for (const std::string folder : {"agent_workspace", "outputs"}) {
    const UniqueFd opened = TRY(os::open_resolved(project.generation.get(), folder, O_RDONLY | O_DIRECTORY,
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
  const Result<std::optional<Head>> head =
      record ? ProjectStore(directory).head() : Result<std::optional<Head>>();
  project.tree = generation_path(head && *head ? (*head)->generation : 1);
  if (wish.mode == WorkspaceMode::transaction || wish.show_changes)
    project.branch = branch_path(wish.transaction.empty() ? "NEW" : wish.transaction);
  return project;
}

}  // namespace sbx
