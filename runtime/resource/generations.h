// The generations of one project, on its own file system: g/N is a whole workspace each, b/ID/{upper,work}
// what a transaction changes. Both and all above belong to the host's root; no guest sees more than one of
// them.
//
// A generation is either written in place by persistent runs or does not change any more. It may be written
// when it is the head, nothing is based on it, and no other generation has one of its files (commits make
// hard links). Else what a run would write to is copied first, and the copy becomes the head.
//
// Whoever makes one of these holds the project's lock `changing` as long as it is used, and only one at a
// time does. What a killed one left is unknown to the records, and goes with the next.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "policy/policy.h"
#include "resource/project_store.h"

namespace sbx {

// Below the project's top.
std::string generation_path(std::uint64_t generation);
std::string branch_path(const std::string& id);

// The directories of a new project, and its first generation. `top`: its empty file system.
Result<void> make_first_generation(int top, WorkspaceLayout layout, uid_t service_id);

// The same of a project of a version that had no generations: what is there becomes the first one. Nobody
// uses it. Killed in between it is called once more, with the same end.
Result<void> move_into_first_generation(int top, WorkspaceLayout layout, uid_t service_id);

// How many directories of ours a project of this layout has, its top not counted: no limit counts them.
std::uint64_t own_directories_of(WorkspaceLayout layout);

class Generations {
 public:
  // `top`: of the project's file system.
  Generations(ProjectStore store, int top, WorkspaceLayout layout, uid_t service_id)
      : store_(std::move(store)), top_(top), layout_(layout), service_id_(service_id) {}

  // Finishes what a killed one began, and removes what nothing refers to any more. To be called first.
  Result<void> settle();

  [[nodiscard]] const Head& head() const { return head_; }

  // The head, which may be written from now on. `has_writers`: a run writes to it already.
  Result<std::uint64_t> make_writable(bool has_writers);
  // A generation with what the head has now that nobody will write to. `has_writers` as above.
  Result<std::uint64_t> make_lasting(bool has_writers);
  // Its directory: as long as that is open, the generation stays.
  [[nodiscard]] Result<UniqueFd> hold(std::uint64_t generation) const;

  // The empty layers of a new transaction. Its directory is locked: as long as it is open, nobody else has
  // it, and it stays, also without a record.
  Result<UniqueFd> make_branch(const std::string& id);
  // Those of one that is there. Error: EBUSY when somebody has it.
  Result<UniqueFd> open_branch(const std::string& id);
  // Drops what is in it, all or nothing. The caller has it.
  Result<void> empty_branch(const std::string& id);

  // An empty generation of a new number.
  Result<std::uint64_t> make_generation();
  // A whole generation that was made so takes the head's place; what nothing refers to is removed.
  Result<void> replace_head(const Head& head);
  // Removes what nothing refers to. What was decided holds without it: what cannot be removed now is left to
  // the next settle(), which tells why.
  void drop_unused();

  [[nodiscard]] const ProjectStore& store() const { return store_; }
  [[nodiscard]] int top() const { return top_; }
  [[nodiscard]] uid_t service_id() const { return service_id_; }
  // What is at the top of a generation or an upper layer, as a run wants it.
  [[nodiscard]] Result<void> restore_folders(int directory, bool may_lack) const;

 private:
  [[nodiscard]] Result<bool> refers_to(std::uint64_t generation) const;
  Result<void> finish_commits();
  Result<void> collect();
  Result<std::uint64_t> copy_head();
  [[nodiscard]] Result<UniqueFd> open_below_top(const std::string& path) const;
  [[nodiscard]] Result<void> make_layer(const std::string& path) const;
  Result<void> remove_unheld(const std::string& parent, const std::string& name);

  ProjectStore store_;
  int top_;
  WorkspaceLayout layout_;
  uid_t service_id_;
  Head head_;
};

}  // namespace sbx
