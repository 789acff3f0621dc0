// Which sandboxes a query is about.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/live_sandbox.h"
#include "base/result.h"
#include "http/message.h"

namespace sbx::api {

struct SandboxFilter {
  std::optional<std::string> project;  // empty: without one
  std::optional<std::string> task;
  std::optional<std::string> state;
  std::vector<std::pair<std::string, std::optional<std::string>>> labels;  // all of them

  [[nodiscard]] bool fits(const LiveSandbox& sandbox) const;
};

Result<SandboxFilter> parse_sandbox_filter(const http::Request& request);

}  // namespace sbx::api
