#include "resource/transactions.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/names.h"
#include "base/times.h"
#include "os/file.h"
#include "resource/generations.h"
#include "tree/copy.h"
#include "tree/merge.h"
#include "tree/worker.h"
#include "wire/wire.h"

namespace sbx {
namespace {

constexpr std::size_t kMostPathBytes = 64U << 20U;  // of one list

Result<UniqueFd> open_top(const std::string& path) {
  return os::open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

BranchWork list_changes(std::size_t most) {
  return [most](int before, int after) -> Result<std::string> {
    ChangeList changes;
    std::size_t bytes = kMostPathBytes;
    const auto keep = [&](tree::Change change) -> Result<void> {
      add_change(changes, std::move(change), most, bytes);
      return {};
    };
    TRY(tree::compare(before, after, tree::After::layer, keep));
    return encode_change_list(changes);
  };
}

Result<tree::Changes> changes_between(int before, int after, tree::After kind) {
  tree::Changes changes;
  const auto keep = [&](tree::Change change) -> Result<void> {
    changes.push_back(std::move(change));
    return {};
  };
  TRY(tree::compare(before, after, kind, keep));
  return changes;
}

// Both as tops of trees, with the same path in each.
Result<bool> same_at(int first, int second, const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  const std::string above = slash == std::string::npos ? "." : path.substr(0, slash);
  const auto open_above = [&](int top) {
    return os::open_resolved(top, above, O_RDONLY | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
  };
  const UniqueFd a = TRY(open_above(first));
  const UniqueFd b = TRY(open_above(second));
  return tree::same_content(a.get(), b.get(), slash == std::string::npos ? path : path.substr(slash + 1));
}

// Of one commit, below the project's top.
struct Places {
  std::string base;
  std::string head;
  std::string upper;
  std::string next;
};

// In a worker: the next generation, or what conflicts with it.
Result<std::vector<std::string>> merge(const Places& places) {
  const UniqueFd base = TRY(open_top(places.base));
  const UniqueFd head = TRY(open_top(places.head));
  const UniqueFd upper = TRY(open_top(places.upper));
  const UniqueFd next = TRY(open_top(places.next));
  const tree::Changes theirs = TRY(changes_between(base.get(), upper.get(), tree::After::layer));
  if (places.head != places.base) {
    const tree::Changes ours = TRY(changes_between(base.get(), head.get(), tree::After::whole));
    std::vector<std::string> conflicts = TRY(tree::find_conflicts(
        ours, theirs, [&](const std::string& path) { return same_at(head.get(), upper.get(), path); }));
    if (!conflicts.empty()) return conflicts;
  }
  TRY(tree::copy_tree(head.get(), next.get(), tree::CopyKind::shared));
  TRY(tree::apply_changes(theirs, upper.get(), next.get()));
  return std::vector<std::string>();
}

Result<std::vector<std::string>> decode_paths(const std::string& bytes) {
  wire::Reader in(bytes);
  std::vector<std::string> paths = in.get_strings();
  TRY(in.finish("the conflicts of a commit"));
  return paths;
}

// A commit that has the locks it needs.
class Commit {
 public:
  Commit(Generations& generations, BranchRecord record)
      : generations_(generations), record_(std::move(record)) {}

  Result<std::vector<std::string>> make() {
    const std::uint64_t next = TRY(generations_.make_generation());
    // From here on both are each other's: whoever finds this knows what was not finished.
    record_.becomes = next;
    TRY(generations_.store().write_branch(record_));
    Result<std::vector<std::string>> conflicts = fill(next);
    if (!conflicts || !conflicts->empty()) {
      TRY(take_back(next));
      return conflicts;
    }
    TRY(generations_.replace_head({next, false}));
    (void)generations_.store().remove_branch(record_.id);  // it is committed, and the next settle() knows it
    return conflicts;
  }

 private:
  Result<std::vector<std::string>> fill(std::uint64_t next) {
    const Places places{generation_path(record_.base), generation_path(generations_.head().generation),
                        branch_path(record_.id) + "/upper", generation_path(next)};
    const auto work = [&]() -> Result<std::string> {
      const std::vector<std::string> conflicts = TRY(merge(places));
      wire::Writer out;
      out.put(conflicts);
      return std::move(out).take();
    };
    const std::string merged = TRY(tree::work_in(generations_.top(), generations_.service_id(), work));
    std::vector<std::string> conflicts = TRY(decode_paths(merged));
    if (!conflicts.empty()) return conflicts;
    const UniqueFd made = TRY(generations_.hold(next));
    TRY(generations_.restore_folders(made.get(), false));
    if (syncfs(made.get()) != 0) return fail(system_error("syncfs", "the project's file system", errno));
    return conflicts;
  }

  Result<void> take_back(std::uint64_t next) {
    TRY(os::remove_tree(generations_.top(), generation_path(next)));
    record_.becomes = 0;
    return generations_.store().write_branch(record_);
  }

  Generations& generations_;
  BranchRecord record_;
};

}  // namespace

Result<std::string> Transactions::in_worker(const std::string& tree, const std::string& branch,
                                            const BranchWork& work) const {
  return tree::work_in(project_.top.get(), service_id_, [&]() -> Result<std::string> {
    const UniqueFd before = TRY(open_top(tree));
    const UniqueFd after = TRY(open_top(branch + "/upper"));
    return work(before.get(), after.get());
  });
}

// Beside a run that has it what is looked at may change, or go.
Result<std::string> Transactions::work_in(const std::string& id, const BranchWork& work) const {
  constexpr int kTries = 3;
  const Branch branch = TRY(look_at(id));
  const std::string base = generation_path(branch.record.base);
  Result<std::string> done = in_worker(base, branch_path(id), work);
  for (int tries = 1; !done && branch.in_use && tries < kTries; ++tries)
    done = in_worker(base, branch_path(id), work);
  if (!branch.in_use || (done && TRY(is_still(branch)))) return done;
  const std::string why = done ? "it was emptied or decided" : done.error().text;
  return fail(Error{
      "transaction '" + id + "' changes while it is looked at (" + why + "): pause its sandbox, or try again",
      EBUSY});
}

Result<Transactions::Branch> Transactions::look_at(const std::string& id) const {
  const UniqueFd changing = TRY(lock_changes(project_.directory));
  Generations generations(store_, project_.top.get(), project_.layout, service_id_);
  TRY(generations.settle());
  Branch branch;
  branch.record = TRY(store_.branch(id));
  branch.base = TRY(generations.hold(branch.record.base));
  auto locked = generations.open_branch(id);
  branch.in_use = !locked && locked.error().error_number == EBUSY;
  if (!locked && !branch.in_use) return fail(locked.error());
  if (locked) branch.locked = std::move(*locked);
  branch.upper = TRY(open_upper(id));
  return branch;
}

Result<UniqueFd> Transactions::open_upper(const std::string& id) const {
  return os::open_resolved(project_.top.get(), branch_path(id) + "/upper", O_RDONLY | O_DIRECTORY,
                           RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

// The same layer, which was neither emptied nor became another generation.
Result<bool> Transactions::is_still(const Branch& branch) const {
  const UniqueFd changing = TRY(lock_changes(project_.directory));
  const auto record = store_.branch(branch.record.id);
  if (!record) return record.error().error_number == ENOENT ? Result<bool>(false) : fail(record.error());
  const UniqueFd now = TRY(open_upper(branch.record.id));
  const struct stat was = TRY(os::stat_fd(branch.upper.get(), "a transaction"));
  const struct stat is = TRY(os::stat_fd(now.get(), "a transaction"));
  return was.st_dev == is.st_dev && was.st_ino == is.st_ino;
}

Result<ChangeList> Transactions::diff(const std::string& id, std::size_t most) const {
  const std::string bytes = TRY(work_in(id, list_changes(most)));
  return decode_change_list(bytes);
}

Result<ChangeList> Transactions::diff_of_run(const std::string& tree, const std::string& branch,
                                             std::size_t most) const {
  const std::string bytes = TRY(in_worker(tree, branch, list_changes(most)));
  return decode_change_list(bytes);
}

Result<void> Transactions::refuse_beside_writers() const {
  if (!TRY(has_writers(project_.directory))) return {};
  return fail(Error{"a run writes to the project now; try again when it has ended", EBUSY});
}

Result<std::vector<std::string>> Transactions::commit(const std::string& id) const {
  const UniqueFd changing = TRY(lock_changes(project_.directory));
  Generations generations(store_, project_.top.get(), project_.layout, service_id_);
  TRY(generations.settle());
  BranchRecord record = TRY(store_.branch(id));
  TRY(refuse_beside_writers());
  UniqueFd branch = TRY(generations.open_branch(id));
  std::vector<std::string> conflicts =
      TRY_DOING("committing '" + id + "'", Commit(generations, std::move(record)).make());
  branch.reset();
  generations.drop_unused();
  return conflicts;
}

Result<void> Transactions::discard(const std::string& id) const {
  const UniqueFd changing = TRY(lock_changes(project_.directory));
  Generations generations(store_, project_.top.get(), project_.layout, service_id_);
  TRY(generations.settle());
  (void)TRY(store_.branch(id));
  UniqueFd branch = TRY(generations.open_branch(id));
  TRY(store_.remove_branch(id));
  branch.reset();
  generations.drop_unused();
  return {};
}

Result<void> Transactions::collect() const {
  const UniqueFd changing = TRY(lock_changes(project_.directory));
  return Generations(store_, project_.top.get(), project_.layout, service_id_).settle();
}

Result<SnapshotRecord> Transactions::take_snapshot(const std::string& name) const {
  const UniqueFd changing = TRY(lock_changes(project_.directory));
  Generations generations(store_, project_.top.get(), project_.layout, service_id_);
  TRY(generations.settle());
  const Result<SnapshotRecord> there = store_.snapshot(name);
  if (there) return fail(Error{"there is a snapshot '" + name + "' already; remove it first", EEXIST});
  if (there.error().error_number != ENOENT) return fail(there.error());
  const bool written = TRY(has_writers(project_.directory));
  const std::uint64_t generation = TRY(generations.make_lasting(written));
  SnapshotRecord record{name, generation, rfc3339(utc_ms())};
  TRY(store_.write_snapshot(record));
  return record;
}

Result<void> Transactions::restore_snapshot(const std::string& name) const {
  const UniqueFd changing = TRY(lock_changes(project_.directory));
  Generations generations(store_, project_.top.get(), project_.layout, service_id_);
  TRY(generations.settle());
  const SnapshotRecord record = TRY(store_.snapshot(name));
  TRY(refuse_beside_writers());
  return generations.replace_head({record.generation, false});
}

Result<void> Transactions::remove_snapshot(const std::string& name) const {
  const UniqueFd changing = TRY(lock_changes(project_.directory));
  Generations generations(store_, project_.top.get(), project_.layout, service_id_);
  TRY(generations.settle());
  (void)TRY(store_.snapshot(name));
  TRY(store_.remove_snapshot(name));
  generations.drop_unused();
  return {};
}

}  // namespace sbx
