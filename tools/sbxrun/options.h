// The command line of sbxrun.
#pragma once

#include <string>

#include "base/result.h"
#include "request/run_request.h"

namespace sbx::sbxrun {

enum class Mode : unsigned char { automatic, direct, socket };

struct Options {
  RunRequest request;
  Mode mode = Mode::automatic;
  std::string socket = "/run/sbx/sbxd.sock";
  std::string sandbox;        // a living one of sbxd's, in which it is run; empty: one of its own
  bool places_given = false;  // the request's, by a flag
  bool json = false;
  bool quiet = false;
  bool help = false;
  bool version = false;
  bool check = false;
  bool stdin_is_code = false;  // and was read: the program gets none
  std::string result;          // empty, a path, or "fd:N"
};

// Reads the arguments and the SBX_ environment variables. The error is for exit status 2.
Result<Options> parse_options(int argc, char** argv);

}  // namespace sbx::sbxrun
