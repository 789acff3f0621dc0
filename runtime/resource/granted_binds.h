// The binds of a client who is not root: only below directories that the policy grants (`bind_roots`), and no
// more of them than the client could reach without us.
#pragma once

#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "os/file_rights.h"
#include "policy/policy.h"
#include "request/run_request.h"

namespace sbx {

// O_PATH. Errors, before anything is looked at: no root of the policy is above the path, or only for others
// or for reading. Then, found out with the client's rights: a link anywhere in the path, which could have
// been put there by anybody since the policy was written; a directory on the way that may not be entered;
// what may not be read; where it is to be written, what may not be, or is somebody else's: that one's ids are
// not mapped, and the kernel lets nobody write to files of such ids.
Result<UniqueFd> open_granted_bind(const Policy& policy, const os::FileRights& client,
                                   const BindRequest& bind);

// Who the client's own files belong to: of the groups, the one that `top` belongs to, if the client is in it.
// All others' files are nobody's inside, and open to the workload as far as to everybody.
struct BindOwner {
  uid_t uid = 0;
  gid_t gid = 0;
};
BindOwner owner_inside(const os::FileRights& client, gid_t top);

}  // namespace sbx
