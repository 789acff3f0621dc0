// The host paths of binds, opened once per run: the program of a run may change what a path leads to, and a
// run can have two programs, one after the other.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "request/run_request.h"

namespace sbx {

struct BindSource {
  std::string host;
  UniqueFd fd;  // O_PATH
  // Whose files are the workload's own inside.
  uid_t uid = 0;
  gid_t gid = 0;
};

struct BindSources {
  std::vector<BindSource> opened;

  // nullptr: none of them.
  [[nodiscard]] const BindSource* find(std::string_view path) const;
};

// O_PATH. Links in the path are the caller's own; but below another bind of the request that the sandbox may
// write to, where an earlier program may have put them, there must be none.
Result<UniqueFd> open_bind_source(const RunRequest& request, const BindRequest& bind);

}  // namespace sbx
