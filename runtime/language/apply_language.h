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

struct LanguageCommand {
  std::string language;  // its name, whatever alias was asked for
  std::vector<std::string> command;
  std::vector<std::string> environment;  // "NAME=value"
  std::string directory;                 // where the files are put; empty: nowhere
  std::vector<SourceFile> files;         // the code first
  std::vector<std::string> writable;     // Runner::writable
  std::optional<ReportFormat> report;    // what the command leaves at kReportPath
  bool operator==(const LanguageCommand&) const = default;
};

// `granted` is what variables and settings that depend on limits come from. Errors: no such action in this
// language, nothing to act on, a file twice.
Result<LanguageCommand> apply_language(const RunRequest& request, const Runner& runner,
                                       const Language& language, const LimitSet& granted);

}  // namespace sbx
