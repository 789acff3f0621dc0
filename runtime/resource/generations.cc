#include "resource/generations.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <vector>

#include "os/file.h"
#include "resource/project_folders.h"
#include "tree/copy.h"
#include "tree/entries.h"
#include "tree/worker.h"

namespace sbx {
namespace {

constexpr mode_t kPassOnly = 0711;
constexpr mode_t kFolderMode = 0755;
constexpr const char* kGenerations = "g";
constexpr const char* kBranches = "b";

Result<void> make_directory(int parent, const std::string& name, mode_t mode) {
  if (mkdirat(parent, name.c_str(), mode) != 0 && errno != EEXIST)
    return fail(system_error("mkdir", name, errno));
  return fchmodat(parent, name.c_str(), mode, 0) == 0 ? Result<void>()
                                                      : fail(system_error("fchmodat", name, errno));
}

// A detached mount is no descriptor of an open file.
Result<void> sync_file_system(int top) {
  const UniqueFd opened = TRY(os::open_at(top, ".", O_RDONLY | O_DIRECTORY));
  return syncfs(opened.get()) == 0 ? Result<void>()
                                   : fail(system_error("syncfs", "the project's file system", errno));
}

// 0 where it is no number of a generation.
std::uint64_t number_of(const std::string& name) {
  std::uint64_t number = 0;
  const char* end = name.data() + name.size();
  const auto [next, error] = std::from_chars(name.data(), end, number);
  return error == std::errc() && next == end ? number : 0;
}

}  // namespace

std::string generation_path(std::uint64_t generation) {
  return std::string(kGenerations) + "/" + std::to_string(generation);
}

std::string branch_path(const std::string& id) { return std::string(kBranches) + "/" + id; }

std::uint64_t own_directories_of(WorkspaceLayout layout) {
  constexpr std::uint64_t kAlways = 3;  // g, b, g/N
  return kAlways + (layout == WorkspaceLayout::split ? kProjectFolders.size() : 0);
}

Result<void> make_first_generation(int top, WorkspaceLayout layout, uid_t service_id) {
  // mke2fs(8) makes it for e2fsck(8), which can do without.
  if (unlinkat(top, "lost+found", AT_REMOVEDIR) != 0 && errno != ENOENT)
    return fail(system_error("rmdir", "lost+found", errno));
  if (fchmodat(top, ".", kPassOnly, 0) != 0) return fail(system_error("fchmod", "the project's top", errno));
  TRY(make_directory(top, kGenerations, kPassOnly));
  TRY(make_directory(top, kBranches, kPassOnly));
  const std::string first = generation_path(1);
  TRY(make_directory(top, first, kFolderMode));
  const UniqueFd generation = TRY(os::open_at(top, first, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  return make_project_folders(generation.get(), layout, service_id);
}

Result<void> move_into_first_generation(int top, WorkspaceLayout layout, uid_t service_id) {
  constexpr const char* kMoved = ".sbx-1";
  const std::string first = generation_path(1);
  // What a guest made is not root's, whatever its name is.
  const auto is_ours = [](const struct stat& status) {
    return S_ISDIR(status.st_mode) && status.st_uid == 0;
  };
  const std::optional<struct stat> above = TRY(tree::stat_entry(top, kGenerations));
  std::optional<struct stat> done;
  if (above && is_ours(*above)) done = TRY(tree::stat_entry(top, first));
  if (!done) {
    TRY(make_directory(top, kMoved, kPassOnly));
    const UniqueFd moved = TRY(os::open_at(top, kMoved, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    const struct stat owner = TRY(os::stat_fd(moved.get(), kMoved));
    if (!is_ours(owner))
      return fail("its files have the name '" + std::string(kMoved) + "', which sbx needs");
    for (const std::string& name : TRY(os::list_directory(top, "."))) {
      const std::optional<struct stat> status = TRY(tree::stat_entry(top, name));
      const bool may_be_ours = name == kGenerations || name == kBranches || name == kMoved;
      if (!status || (may_be_ours && is_ours(*status))) continue;
      if (renameat(top, name.c_str(), moved.get(), name.c_str()) != 0)
        return fail(system_error("rename", name, errno));
    }
    TRY(make_directory(top, kGenerations, kPassOnly));
    if (renameat(top, kMoved, top, first.c_str()) != 0) return fail(system_error("rename", first, errno));
  }
  TRY(sync_file_system(top));
  return make_first_generation(top, layout, service_id);
}

Result<void> Generations::settle() {
  const std::optional<Head> head = TRY(store_.head());
  if (!head) return fail("it was made by an older version, and has no generations");
  head_ = *head;
  TRY(store_.remove_unfinished());
  TRY(finish_commits());
  return collect();
}

// The swap of the head is what makes a commit: before it there was none, behind it the transaction is over.
Result<void> Generations::finish_commits() {
  for (BranchRecord& branch : TRY(store_.branches())) {
    if (branch.becomes == 0) continue;
    if (branch.becomes == head_.generation) {
      TRY(store_.remove_branch(branch.id));
      continue;
    }
    // Its files are the transaction's, too, and would change with it.
    TRY(remove_unheld(kGenerations, std::to_string(branch.becomes)));
    branch.becomes = 0;
    TRY(store_.write_branch(branch));
  }
  return {};
}

Result<bool> Generations::refers_to(std::uint64_t generation) const {
  const std::vector<BranchRecord> branches = TRY(store_.branches());
  const std::vector<SnapshotRecord> snapshots = TRY(store_.snapshots());
  return std::ranges::find(branches, generation, &BranchRecord::base) != branches.end() ||
         std::ranges::find(snapshots, generation, &SnapshotRecord::generation) != snapshots.end();
}

Result<UniqueFd> Generations::open_below_top(const std::string& path) const {
  return os::open_resolved(top_, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                           RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

// What somebody holds stays for the next one.
Result<void> Generations::remove_unheld(const std::string& parent, const std::string& name) {
  const UniqueFd directory = TRY(open_below_top(parent));
  {
    const Result<UniqueFd> held = open_below_top(parent + "/" + name);
    if (!held && held.error().error_number == ENOENT) return {};
    if (!held) return fail(held.error());
    if (flock(held->get(), LOCK_EX | LOCK_NB) != 0)
      return errno == EWOULDBLOCK ? Result<void>() : fail(system_error("flock", name, errno));
  }
  return os::remove_tree(directory.get(), name);
}

void Generations::drop_unused() { (void)collect(); }

Result<void> Generations::collect() {
  for (const std::string& name : TRY(os::list_directory(top_, kGenerations))) {
    const std::uint64_t number = number_of(name);
    if (number != 0 && (number == head_.generation || TRY(refers_to(number)))) continue;
    TRY_DOING("removing generation " + name, remove_unheld(kGenerations, name));
  }
  const std::vector<BranchRecord> branches = TRY(store_.branches());
  for (const std::string& name : TRY(os::list_directory(top_, kBranches))) {
    if (std::ranges::find(branches, name, &BranchRecord::id) != branches.end()) continue;
    TRY_DOING("removing what is left of transaction '" + name + "'", remove_unheld(kBranches, name));
  }
  return {};
}

Result<std::uint64_t> Generations::make_generation() {
  std::uint64_t last = head_.generation;
  for (const std::string& name : TRY(os::list_directory(top_, kGenerations)))
    last = std::max(last, number_of(name));
  if (mkdirat(top_, generation_path(last + 1).c_str(), kFolderMode) != 0)
    return fail(system_error("mkdir", generation_path(last + 1), errno));
  // Those who fill it own nothing but what is in it, and its folders are restored behind them.
  if (fchownat(top_, generation_path(last + 1).c_str(), service_id_, service_id_, AT_SYMLINK_NOFOLLOW) != 0)
    return fail(system_error("fchownat", generation_path(last + 1), errno));
  return last + 1;
}

Result<std::uint64_t> Generations::copy_head() {
  const std::uint64_t made = TRY(make_generation());
  const std::string from = generation_path(head_.generation);
  const std::string to = generation_path(made);
  const auto copied = tree::work_in(top_, service_id_, [&]() -> Result<std::string> {
    const UniqueFd source = TRY(os::open_at(AT_FDCWD, from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    const UniqueFd target = TRY(os::open_at(AT_FDCWD, to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    TRY(tree::copy_tree(source.get(), target.get(), tree::CopyKind::apart));
    return std::string();
  });
  if (!copied) {
    (void)os::remove_tree(top_, to);  // what fails here is removed by the next one
    return fail(Error(copied.error()).while_doing("copying generation " + std::to_string(head_.generation)));
  }
  const UniqueFd directory = TRY(open_below_top(to));
  TRY(restore_folders(directory.get(), false));
  TRY(sync_file_system(top_));
  return made;
}

Result<std::uint64_t> Generations::make_writable(bool has_writers) {
  if (has_writers) return head_.generation;
  const auto generations = TRY(os::list_directory(top_, kGenerations));
  const bool shares = !head_.apart && generations.size() > 1;
  if (shares || TRY(refers_to(head_.generation))) {
    const std::uint64_t copy = TRY(copy_head());
    TRY(replace_head({copy, true}));
  }
  return head_.generation;
}

Result<std::uint64_t> Generations::make_lasting(bool has_writers) {
  return has_writers ? copy_head() : Result<std::uint64_t>(head_.generation);
}

Result<void> Generations::replace_head(const Head& head) {
  TRY(store_.set_head(head));
  head_ = head;
  drop_unused();
  return {};
}

Result<UniqueFd> Generations::hold(std::uint64_t generation) const {
  UniqueFd directory = TRY(open_below_top(generation_path(generation)));
  if (flock(directory.get(), LOCK_SH) != 0) return fail(system_error("flock", "generation", errno));
  return directory;
}

Result<UniqueFd> Generations::make_branch(const std::string& id) {
  const std::string path = branch_path(id);
  if (mkdirat(top_, path.c_str(), kPassOnly) != 0) return fail(system_error("mkdir", path, errno));
  TRY(make_directory(top_, path + "/work", kFolderMode));
  return open_branch(id);
}

Result<UniqueFd> Generations::open_branch(const std::string& id) {
  UniqueFd directory = TRY(open_below_top(branch_path(id)));
  if (flock(directory.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail(system_error("flock", branch_path(id), errno));
    return fail(Error{"transaction '" + id + "': a run uses it now; wait for its end", EBUSY});
  }
  TRY(make_layer(branch_path(id) + "/upper"));  // it is missing where one who emptied it was killed
  return directory;
}

// What is dropped has the name of no transaction: nothing refers to it.
Result<void> Generations::empty_branch(const std::string& id) {
  const std::string upper = branch_path(id) + "/upper";
  const std::string dropped = ".dropped-" + id;
  const std::string path = branch_path(dropped);
  if (renameat(top_, upper.c_str(), top_, path.c_str()) != 0)
    return fail(system_error("rename", upper, errno));
  TRY(make_layer(upper));
  return remove_unheld(kBranches, dropped);
}

// With the folders as a run wants them.
Result<void> Generations::make_layer(const std::string& path) const {
  const bool made = mkdirat(top_, path.c_str(), kFolderMode) == 0;
  if (!made && errno != EEXIST) return fail(system_error("mkdir", path, errno));
  if (made && fchmodat(top_, path.c_str(), kFolderMode, 0) != 0)
    return fail(system_error("fchmodat", path, errno));
  const UniqueFd layer = TRY(open_below_top(path));
  return restore_folders(layer.get(), true);
}

Result<void> Generations::restore_folders(int directory, bool may_lack) const {
  return restore_project_folders(directory, layout_, service_id_, may_lack);
}

}  // namespace sbx
