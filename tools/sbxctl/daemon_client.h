// A request to a running sbxd, over its socket.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/result.h"

namespace sbx {

// The answer to `method` `path`, without a body. Nothing: no sbxd is there. Error: it refused, and why.
Result<std::optional<nlohmann::json>> ask_daemon(const std::string& socket_path, const std::string& method,
                                                 const std::string& path);

}  // namespace sbx
