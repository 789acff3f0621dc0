// What sbx knows of the languages of an image: runner.yaml, which lies beside its Dockerfile and comes with
// it as a part of the sidecar. docs/adding-a-language.md has the keys, with an example.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "request/run_request.h"

namespace sbx {

// How the test runner of a language writes its report.
enum class ReportFormat : std::uint8_t { junit };
inline constexpr std::array<std::string_view, 1> kReportFormats{"junit"};

struct Language {
  std::string name;
  std::vector<std::string> aliases;
  std::string file;  // what code without a name is called
  // By action, with placeholders (language/placeholders.h); empty: the language has none.
  std::array<std::vector<std::string>, kLanguageActions.size()> commands;
  // Comes before the action run, in a sandbox of its own; what it leaves in {out} is there when the code
  // runs.
  std::vector<std::string> compile;    // empty: the code runs as it is
  std::optional<ReportFormat> report;  // of the action test: at {report}
  std::string tool;  // whose version is the language's; empty: it goes by the language's own name
  bool operator==(const Language&) const = default;
};

struct Runner {
  std::vector<Language> languages;                               // at least one
  LimitSet limits;                                               // what its programs need to run at all
  LimitSet compile_limits;                                       // the same for its compilers
  std::vector<std::pair<std::string, std::string>> environment;  // name and value, with placeholders
  std::vector<std::string> writable;  // directories of the image whose thrown-away copies may be changed
  bool operator==(const Runner&) const = default;
};

inline constexpr std::size_t kRunnerLimit = 64U << 10U;

// Strict, as all of our YAML: policy/yaml_reader.h. `path` is for messages only.
Result<Runner> parse_runner(std::string_view path, std::string_view text);

// The language of this name or alias; nullptr when there is none.
const Language* find_language(const Runner& runner, std::string_view name);

}  // namespace sbx
