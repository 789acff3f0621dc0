// The host paths of binds, opened once per run: the program of a run may change what a path leads to, and a
// run can have two programs, one after the other.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "request/run_request.h"

namespace sbx {

struct BindSources {
  std::vector<std::pair<std::string, UniqueFd>> opened;  // host path, O_PATH

  // -1: none of them.
  [[nodiscard]] int find(std::string_view path) const;
};

// O_PATH. Links in the path are the caller's own; but below another bind of the request that the sandbox may
// write to, where an earlier program may have put them, there must be none.
Result<UniqueFd> open_bind_source(const RunRequest& request, const BindRequest& bind);

}  // namespace sbx
