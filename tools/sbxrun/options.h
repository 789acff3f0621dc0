// The command line of sbxrun: one table for parsing, --help and the man page.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "request/run_request.h"

namespace sbx::sbxrun {

struct OptionSpec {
  const char* group;
  const char* name;      // long name, without the dashes
  char short_name;       // 0: none
  const char* argument;  // nullptr: none; "[=MODE]" style: optional
  const char* help;
  const char* alias_of;  // nullptr, or the name of the option that this one is another name for
};

std::span<const OptionSpec> option_specs();

enum class Mode : unsigned char { automatic, direct, socket };

struct Options {
  RunRequest request;
  Mode mode = Mode::automatic;
  std::string socket = "/run/sbx/sbxd.sock";
  bool json = false;
  bool quiet = false;
  bool help = false;
  bool version = false;
  bool check = false;
  std::string result;  // empty, a path, or "fd:N"
};

// Reads the arguments and the SBX_ environment variables. The error is for exit status 2.
Result<Options> parse_options(int argc, char** argv);

std::string help_text();

}  // namespace sbx::sbxrun
