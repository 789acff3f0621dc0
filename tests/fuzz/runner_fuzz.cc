// Runners: an error names its place; what was read and is written again is read as the same, and makes a
// command of any request.
#include "base/names.h"
#include "fuzz/fuzz.h"
#include "language/apply_language.h"

namespace sbx::fuzz {
namespace {

constexpr std::string_view kName = "runner.yaml";

std::string list_of(const std::vector<std::string>& words) {
  std::string text = "[";
  for (const std::string& word : words) text += yaml_text(word) + ", ";
  return text + "]";
}

std::string limits_of(const LimitSet& limits) {
  std::string text = "{";
  for (const LimitField& field : kLimits) {
    if (const auto value = limits.*field.member)
      text += std::string(field.key) + ": " + format_limit(field, *value) + ", ";
  }
  return text + "}\n";
}

std::string written(const Runner& runner) {
  std::string text = "languages:\n";
  for (const Language& language : runner.languages) {
    text += "  - name: " + yaml_text(language.name) + "\n    aliases: " + list_of(language.aliases) +
            "\n    file: " + yaml_text(language.file) + "\n";
    if (language.report)
      text += "    report: " + std::string(kReportFormats[static_cast<std::size_t>(*language.report)]) + "\n";
    text += "    actions:\n";
    if (!language.compile.empty()) text += "      compile: " + list_of(language.compile) + "\n";
    for (std::size_t i = 0; i < kLanguageActions.size(); ++i) {
      if (language.commands[i].empty()) continue;
      text += "      " + std::string(kLanguageActions[i]) + ": " + list_of(language.commands[i]) + "\n";
    }
  }
  text += "limits: " + limits_of(runner.limits) + "compile_limits: " + limits_of(runner.compile_limits);
  text += "writable: " + list_of(runner.writable) + "\nenvironment: {";
  for (const auto& [name, value] : runner.environment)
    text += yaml_text(name) + ": " + yaml_text(value) + ", ";
  return text + "}\n";
}

bool is_program_of(const std::vector<std::string>& words, const LanguageCommand& made) {
  const std::string& program = made.command.front();
  return words.front().starts_with("{out}/")
             ? program.starts_with("/tmp/build/") && made.build != BuildPlace::none
             : program == words.front();
}

void try_commands(const Runner& runner, const Language& language) {
  RunRequest request;
  request.language.emplace().name = language.name;
  request.language->code = SourceFile{"", "code"};
  LimitSet granted;
  granted.memory_bytes = 1;
  for (std::size_t i = 0; i < kLanguageActions.size(); ++i) {
    request.language->action = static_cast<LanguageAction>(i);
    const Result<LanguageCommand> made =
        apply_language(request, runner, language, LanguageStep::act, granted);
    must(made.has_value() == !language.commands[i].empty(), "each action that is there makes a command");
    if (!made) continue;
    must(is_program_of(language.commands[i], *made), "the program is the runner's, or what was compiled");
    must(made->files.size() == 1 && check_source_name("file", made->files[0].name).has_value(),
         "the file can be made");
  }
  if (language.compile.empty()) return;
  request.language->action = LanguageAction::run;
  const Result<LanguageCommand> made =
      apply_language(request, runner, language, LanguageStep::compile, granted);
  must(made && made->build == BuildPlace::written && is_program_of(language.compile, *made),
       "a compile step makes a command");
}

void try_runner(std::string_view text) {
  const Result<Runner> runner = parse_runner(kName, text);
  if (!runner) return must_name_place(runner.error(), kName, text);
  for (const Language& language : runner->languages) {
    must(find_language(*runner, language.name) == &language, "a name means one language");
    try_commands(*runner, language);
  }
  for (const std::string& directory : runner->writable)
    must(check_inside_path("writable", directory).has_value() && directory.find(':') == std::string::npos,
         "a directory is one inside, and one layer", directory);
  const std::string again = written(*runner);
  const Result<Runner> second = parse_runner(kName, again);
  must(second.has_value(), "what was written is read", again + (second ? "" : second.error().text));
  must(*second == *runner, "it stays the same", again);
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sbx::fuzz::try_runner(sbx::fuzz::text_of(data, size));
  return 0;
}
