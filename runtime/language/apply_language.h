// A request in words of a language becomes a command: which words, variables and files. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "language/runner.h"
#include "request/run_request.h"

namespace sbx {

// What a step may do with the place that the compile step fills for the program.
enum class BuildPlace : std::uint8_t { none, written, read };

// A run that compiles is two programs, each in a sandbox of its own.
enum class LanguageStep : std::uint8_t { compile, act };

struct LanguageCommand {
  std::string language;  // its name, whatever alias was asked for
  std::vector<std::string> command;
  std::vector<std::string> environment;  // "NAME=value"
  std::string directory;                 // where the files are put; empty: nowhere
  std::vector<SourceFile> files;         // the code first
  std::vector<std::string> writable;     // Runner::writable
  std::optional<ReportFormat> report;    // what the command leaves at kReportPath
  BuildPlace build = BuildPlace::none;   // at kBuildPath
  bool operator==(const LanguageCommand&) const = default;
};

// Whether the request comes to a compile step, too.
bool compiles(const RunRequest& request, const Language& language);

// What the image's languages need to run at all, with their compilers.
LimitSet needed_limits(const Runner& runner);

// What an action of the language needs to run at all: compilers work in all but `run`, where they have a step
// of their own.
LimitSet needed_limits(const Runner& runner, const Language& language, LanguageAction action);

// Where a living sandbox has what belongs to one command, below a directory of that command's own: code/,
// build/ and report. Empty: where a sandbox of one run has it.
using LanguagePlace = std::string;

// `granted` is what variables and settings that depend on limits come from. Errors: no such action in this
// language, nothing to act on, a file twice.
Result<LanguageCommand> apply_language(const RunRequest& request, const Runner& runner,
                                       const Language& language, LanguageStep step, const LimitSet& granted,
                                       const LanguagePlace& place = {});
std::string report_in(const LanguagePlace& place);

}  // namespace sbx
