// Which sandboxes a query is about.
#pragma once

#include <optional>
#include <string>

#include "api/live_sandbox.h"
#include "api/query.h"
#include "base/result.h"
#include "http/message.h"

namespace sbx::api {

struct SandboxFilter {
  std::optional<std::string> project;  // empty: without one
  std::optional<std::string> task;
  std::optional<std::string> state;
  WantedLabels labels;  // all of them
  // Of a list, which goes by ids and so has the oldest first.
  std::string behind;  // the id of the last one of the page before
  std::size_t limit = 1'000;

  [[nodiscard]] bool fits(const LiveSandbox& sandbox) const;
};

Result<SandboxFilter> parse_sandbox_filter(const http::Request& request);
// With `limit` and `cursor`, too.
Result<SandboxFilter> parse_sandbox_list(const http::Request& request);

}  // namespace sbx::api
