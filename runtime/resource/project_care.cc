#include "resource/project_care.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <sstream>

#include "base/names.h"
#include "os/file.h"
#include "resource/projects.h"
#include "tree/usage.h"
#include "tree/worker.h"
#include "wire/wire.h"

namespace sbx {
namespace {

constexpr const char* kDeleted = ".deleted-";  // no name of a project starts with a dot

std::string projects_directory(const std::string& state_dir) { return state_dir + "/projects"; }

std::int64_t in_ms(std::int64_t seconds, std::uint32_t nanoseconds) {
  return seconds * 1000 + nanoseconds / 1'000'000;
}

// By /proc/locks (proc(5)), which tells without taking one: a lock of ours would refuse a run that begins
// just then.
Result<bool> is_locked(int file) {
  const struct stat status = TRY(os::stat_fd(file, "in_use"));
  std::ostringstream inode;
  inode << ':' << status.st_ino << ' ';
  std::istringstream locks(TRY(os::read_file(AT_FDCWD, "/proc/locks")));
  std::string line;
  while (std::getline(locks, line)) {
    if (line.find(" FLOCK ") != std::string::npos && line.find(inode.str()) != std::string::npos) return true;
  }
  return false;
}

Result<ProjectInfo> look_at(const std::string& projects, const std::string& id) {
  const std::string directory = projects + "/" + id;
  const ProjectRecord record = TRY(read_project_record(directory));
  ProjectInfo info{id, record.layout, record.storage, record.limits, false, {}, 0};
  struct statx made {};
  if (statx(AT_FDCWD, directory.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BTIME, &made) == 0 &&
      (made.stx_mask & STATX_BTIME) != 0)
    info.created_ms = in_ms(made.stx_btime.tv_sec, made.stx_btime.tv_nsec);
  const auto in_use = TRY(os::open_if_exists(AT_FDCWD, directory + "/in_use", O_RDONLY | O_NOFOLLOW));
  if (!in_use) return info;  // of an older version, and never used since
  info.in_use = TRY(is_locked(in_use->get()));
  const struct stat used = TRY(os::stat_fd(in_use->get(), "in_use"));
  info.used_ms = in_ms(used.st_mtim.tv_sec, static_cast<std::uint32_t>(used.st_mtim.tv_nsec));
  return info;
}

Error unknown_project(const std::string& state_dir, const std::string& id) {
  return {"there is no project '" + id + "' in '" + projects_directory(state_dir) + "'", ENOENT};
}

Result<ProjectUse> measure_in_worker(int top, uid_t service_id) {
  const auto work = []() -> Result<std::string> {
    const UniqueFd opened = TRY(os::open_at(AT_FDCWD, ".", O_RDONLY | O_DIRECTORY));
    const tree::Usage usage = TRY(tree::measure(opened.get()));
    wire::Writer out;
    out.put(usage.bytes);
    out.put(usage.inodes);
    return std::move(out).take();
  };
  const std::string bytes = TRY(tree::work_in(top, service_id, work));
  wire::Reader in(bytes);
  ProjectUse use;
  use.bytes = in.get<std::uint64_t>();
  use.inodes = in.get<std::uint64_t>();
  TRY(in.finish("the size of a project"));
  return use;
}

// Those who have its end or its name in hand, and nobody else.
struct Alone {
  UniqueFd projects;
  UniqueFd in_use;
};

Result<Alone> hold_alone(const std::string& state_dir, const std::string& id) {
  TRY(check_name("project", id));
  const std::string directory = project_directory(state_dir, id);
  Alone alone;
  const auto projects =
      TRY(os::open_if_exists(AT_FDCWD, projects_directory(state_dir), O_RDONLY | O_DIRECTORY));
  const Result<ProjectRecord> record = read_project_record(directory);
  if (!projects || (!record && record.error().error_number == ENOENT))
    return fail(unknown_project(state_dir, id));
  alone.projects = TRY(os::open_at(AT_FDCWD, projects_directory(state_dir), O_RDONLY | O_DIRECTORY));
  alone.in_use = TRY(hold_project(directory, ProjectHold::alone));
  if (!record) return fail(record.error());
  if (record->storage == ProjectStorage::image && TRY(project_image_is_mounted(directory)))
    return fail(Error{"a sandbox whose supervisor was killed has it still; try again in a moment", EBUSY});
  return alone;
}

Result<void> sync(int directory) {
  return fsync(directory) == 0 ? Result<void>() : fail(system_error("fsync", "projects", errno));
}

}  // namespace

Result<std::vector<ProjectInfo>> list_projects(const std::string& state_dir) {
  const std::string projects = projects_directory(state_dir);
  std::vector<ProjectInfo> list;
  const auto there = TRY(os::open_if_exists(AT_FDCWD, projects, O_RDONLY | O_DIRECTORY));
  if (!there) return list;
  for (const std::string& name : TRY(os::list_directory(there->get(), "."))) {
    if (!check_name("project", name)) continue;
    Result<ProjectInfo> info = look_at(projects, name);
    if (!info && info.error().error_number == ENOENT) continue;
    if (!info) return fail(std::move(info).error().while_doing("project '" + name + "'"));
    list.push_back(std::move(*info));
  }
  return list;
}

Result<ProjectInfo> look_at_project(const std::string& state_dir, const std::string& id) {
  TRY(check_name("project", id));
  Result<ProjectInfo> info = look_at(projects_directory(state_dir), id);
  if (!info && info.error().error_number == ENOENT) return fail(unknown_project(state_dir, id));
  return info;
}

Result<ProjectUse> measure_project(const std::string& state_dir, const std::string& id, uid_t service_id) {
  const OpenedProject project = TRY(open_project_disk(state_dir, id));
  if (!project.has_limits) return measure_in_worker(project.top.get(), service_id);
  struct statvfs status {};
  if (fstatvfs(project.top.get(), &status) != 0) return fail(system_error("fstatvfs", id, errno));
  const std::uint64_t inodes = status.f_files - status.f_ffree;
  return ProjectUse{(status.f_blocks - status.f_bfree) * status.f_frsize,
                    inodes - std::min(inodes, project.own_inodes)};
}

Result<void> rename_project(const std::string& state_dir, const std::string& id, const std::string& new_id) {
  TRY(check_name("project", new_id));
  const Alone alone = TRY(hold_alone(state_dir, id));
  if (renameat2(alone.projects.get(), id.c_str(), alone.projects.get(), new_id.c_str(), RENAME_NOREPLACE) ==
      0)
    return sync(alone.projects.get());
  if (errno != EEXIST) return fail(system_error("renameat2", id, errno));
  return fail(Error{"there is a project '" + new_id + "' already", EEXIST});
}

Result<void> delete_project(const std::string& state_dir, const std::string& id) {
  const Alone alone = TRY(hold_alone(state_dir, id));
  // Locked: a sweep leaves it to us.
  const UniqueFd directory = TRY(os::open_at(alone.projects.get(), id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (flock(directory.get(), LOCK_EX) != 0) return fail(system_error("flock", id, errno));
  const std::string gone = kDeleted + new_run_id();
  if (renameat2(alone.projects.get(), id.c_str(), alone.projects.get(), gone.c_str(), RENAME_NOREPLACE) != 0)
    return fail(system_error("renameat2", id, errno));
  TRY(sync(alone.projects.get()));
  TRY_DOING("removing what was project '" + id + "'", os::remove_tree(alone.projects.get(), gone));
  return {};
}

Result<std::size_t> remove_deleted_projects(const std::string& state_dir) {
  const auto projects =
      TRY(os::open_if_exists(AT_FDCWD, projects_directory(state_dir), O_RDONLY | O_DIRECTORY));
  std::size_t removed = 0;
  if (!projects) return removed;
  for (const std::string& name : TRY(os::list_directory(projects->get(), "."))) {
    if (!name.starts_with(kDeleted)) continue;
    const auto directory =
        TRY(os::open_if_exists(projects->get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (!directory || flock(directory->get(), LOCK_EX | LOCK_NB) != 0) continue;  // who deletes it is at work
    TRY(os::remove_tree(projects->get(), name));
    ++removed;
  }
  return removed;
}

}  // namespace sbx
