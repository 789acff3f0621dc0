// The conversation of one run: request, relays, signals, terminal, answer.
#pragma once

#include <optional>

#include "base/result.h"
#include "connection.h"
#include "options.h"
#include "streams.h"
#include "wire/client_protocol.h"

namespace sbx::sbxrun {

struct Answer {
  int exit_status = 125;
  std::optional<std::string> text;  // of --dry-run and --explain
  FinishedRun finished;
  std::optional<Error> output_error;  // relayed output that could not be written
};

// Blocks until the supervisor has answered and the last relayed byte is written.
Result<Answer> hold_session(const Connection& connection, const Options& options, ClientStreams streams);

}  // namespace sbx::sbxrun
