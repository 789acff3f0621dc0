// What a client asks for in JSON (docs/openapi.yaml), as a request.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "api/json_object.h"
#include "base/result.h"
#include "request/run_request.h"

namespace sbx::api {

using Labels = std::map<std::string, std::string>;

struct AskedRun {
  RunRequest request;
  std::optional<std::string> input;  // for its standard input
  Labels labels;
  bool fatal = false;  // of a command: its sandbox ends with it, unless it ends by itself
};

// A run in a sandbox of its own.
Result<AskedRun> parse_run(const JsonObject& body);

// A command of a sandbox that is there.
Result<AskedRun> parse_command(const JsonObject& body);

struct AskedSandbox {
  RunRequest request;
  std::string configuration;  // a name; empty: none
  Labels labels;
  std::optional<std::uint64_t> idle_ms;  // destroyed when so long no command ran
  std::optional<std::uint64_t> total_ms;
};

Result<AskedSandbox> parse_sandbox(const JsonObject& body);

}  // namespace sbx::api
