// What is done with a project's generations beside its runs: transactions looked at, committed and discarded;
// snapshots. Each takes the locks that it needs (projects.h), waits for who changes something else, and
// leaves the project whole wherever it is killed. What guests wrote is read in a worker (tree/worker.h).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "resource/change_list.h"
#include "resource/project_store.h"
#include "resource/projects.h"

namespace sbx {

// Works with both sides of a transaction: `before`, the top of its base, and `after`, of its upper layer.
using BranchWork = std::function<Result<std::string>(int before, int after)>;

class Transactions {
 public:
  // `project` outlives it. `service_id`: who owns the files of projects on disk.
  Transactions(const OpenedProject& project, uid_t service_id)
      : project_(project), store_(project.directory), service_id_(service_id) {}

  [[nodiscard]] Result<std::vector<BranchRecord>> list() const { return store_.branches(); }

  // What `work` returns, in a worker; beside a run that has it, of what is there just then. Errors: ENOENT;
  // EBUSY where that changed so much meanwhile that it could not be looked at.
  [[nodiscard]] Result<std::string> work_in(const std::string& id, const BranchWork& work) const;
  // What it changes; at most `most` of it is listed. Errors as above.
  [[nodiscard]] Result<ChangeList> diff(const std::string& id, std::size_t most) const;
  // The same for the run that has it, also where it has no record. `tree`, `branch`: as Project has them.
  [[nodiscard]] Result<ChangeList> diff_of_run(const std::string& tree, const std::string& branch,
                                               std::size_t most) const;

  // The next generation is the head with these changes, and the transaction is over. What it returns are the
  // paths that others changed since it began, and not to the same: then nothing was done. Errors: ENOENT;
  // EBUSY while a run has it, or writes to the project.
  [[nodiscard]] Result<std::vector<std::string>> commit(const std::string& id) const;
  // Errors: ENOENT; EBUSY while a run has it.
  [[nodiscard]] Result<void> discard(const std::string& id) const;

  // Removes what no record names and nobody holds.
  [[nodiscard]] Result<void> collect() const;

  [[nodiscard]] Result<std::vector<SnapshotRecord>> snapshots() const { return store_.snapshots(); }
  // Keeps what the project has now. Beside a run that writes to it, it is copied as it is just then. Error:
  // EEXIST.
  [[nodiscard]] Result<SnapshotRecord> take_snapshot(const std::string& name) const;
  // What the project has now is what it had then. Errors: ENOENT; EBUSY while a run writes to it.
  [[nodiscard]] Result<void> restore_snapshot(const std::string& name) const;
  [[nodiscard]] Result<void> remove_snapshot(const std::string& name) const;

 private:
  struct Branch {
    BranchRecord record;
    UniqueFd base;    // it stays
    UniqueFd upper;   // that is looked at
    UniqueFd locked;  // nobody else has it
    bool in_use = false;
  };
  [[nodiscard]] Result<Branch> look_at(const std::string& id) const;
  [[nodiscard]] Result<UniqueFd> open_upper(const std::string& id) const;
  [[nodiscard]] Result<bool> is_still(const Branch& branch) const;
  [[nodiscard]] Result<void> refuse_beside_writers() const;
  [[nodiscard]] Result<std::string> in_worker(const std::string& tree, const std::string& branch,
                                              const BranchWork& work) const;

  const OpenedProject& project_;
  ProjectStore store_;
  uid_t service_id_;
};

}  // namespace sbx
