// Files as another user may see them (credentials(7), path_resolution(7)): for the time that we look at a
// path on somebody's behalf, the kernel asks for that one's rights, not for root's.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"

namespace sbx::os {

struct FileRights {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // supplementary
};

// As long as it lives, this thread's file system ids and groups are those of `rights` (setfsuid(2)); root's
// capabilities over files are not in force for any but root. Needs a process of one thread that is root.
class BorrowedRights {
 public:
  // Without any nothing changes.
  static Result<BorrowedRights> take(const std::optional<FileRights>& rights);

 private:
  struct GiveBack {
    void operator()(std::vector<gid_t>* own_groups) const;  // ends the process where it cannot
  };
  std::unique_ptr<std::vector<gid_t>, GiveBack> own_groups_;
};

}  // namespace sbx::os
