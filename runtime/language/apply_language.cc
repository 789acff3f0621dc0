#include "language/apply_language.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "base/path.h"
#include "language/placeholders.h"

namespace sbx {
namespace {

// Where the code is put. The start directory is a new one of this sandbox's own, unless the request says
// where to start, or what is there: then the code is not mixed with that.
constexpr std::string_view kStartDirectory = "/workspace/agent_workspace";
constexpr std::string_view kOwnDirectory = "/tmp/code";

// The first bind that is so, as its flag says it.
std::optional<std::string> find_bind(const RunRequest& request,
                                     const std::function<bool(const BindRequest&)>& is_so) {
  const auto bind = std::ranges::find_if(request.binds, is_so);
  if (bind == request.binds.end()) return std::nullopt;
  return std::string(bind_flag_name(bind->flag)) + " " + bind->host + ":" + bind->inside;
}

// A bind that would hide `path`, or lie in it.
std::optional<std::string> touching(const RunRequest& request, std::string_view path) {
  return find_bind(request, [&](const BindRequest& bind) {
    return is_below(path, bind.inside) || is_below(bind.inside, path);
  });
}

// A bind that would hide one of the files, were they put there.
std::optional<std::string> hidden_by(const RunRequest& request, std::string_view directory,
                                     const std::vector<SourceFile>& files) {
  return find_bind(request, [&](const BindRequest& bind) {
    return std::ranges::any_of(files, [&](const SourceFile& file) {
      return is_below(std::string(directory) + "/" + file.name, bind.inside);
    });
  });
}

std::string_view ending_of(std::string_view name) {
  const std::size_t dot = name.find_last_of('.');
  const std::size_t slash = name.find_last_of('/');
  const bool has_one = dot != std::string_view::npos && (slash == std::string_view::npos || dot > slash);
  return has_one ? name.substr(dot) : std::string_view();
}

// Where the code is that is inside already: a path with an ending is that of a file.
std::string directory_of(const std::string& path) {
  if (path.empty()) return ".";
  const std::size_t slash = path.find_last_of('/');
  const std::string name = path.substr(slash + 1);  // npos + 1 is 0
  if (name == "." || name == ".." || ending_of(name).empty()) return path;
  return slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
}

Result<std::vector<SourceFile>> name_files(const LanguageRequest& asked, const Language& language) {
  std::vector<SourceFile> files;
  if (asked.code) {
    files.push_back(*asked.code);
    if (files.front().name.empty()) files.front().name = language.file;
  }
  for (const SourceFile& file : asked.files) {
    const auto clashes = [&](const SourceFile& other) {
      return is_below(file.name, other.name) || is_below(other.name, file.name);
    };
    if (std::ranges::any_of(files, clashes))
      return fail("--add-file: '" + file.name + "' is there already, as a file or a directory");
    files.push_back(file);
  }
  return files;
}

// What needs a file is told by the command; each needs something to be about.
Result<void> check_target(const LanguageRequest& asked, const std::vector<std::string>& command,
                          std::string_view action) {
  if (asked.code || !asked.path.empty()) return {};
  if (!names_placeholder(command, "file") && !names_placeholder(command, "stem")) return {};
  return fail(
      "--action " + std::string(action) +
      ": no code; give --code TEXT, --file PATH, '-' for standard input, or the path of a file inside");
}

std::string listed_actions(const Language& language) {
  std::string text;
  for (std::size_t i = 0; i < kLanguageActions.size(); ++i) {
    if (!language.commands[i].empty()) text += (text.empty() ? "" : ", ") + std::string(kLanguageActions[i]);
  }
  return text;
}

LimitSet with_compiler(LimitSet needed, const Runner& runner) {
  for (const LimitField& field : kLimits) {
    const auto of_compiler = runner.compile_limits.*field.member;
    if (of_compiler) needed.*field.member = std::max(needed.*field.member, of_compiler);
  }
  return needed;
}

}  // namespace

bool compiles(const RunRequest& request, const Language& language) {
  return request.language->action == LanguageAction::run && !language.compile.empty();
}

std::string report_in(const LanguagePlace& place) {
  return place.empty() ? std::string(kReportPath) : place + "/report";
}

LimitSet needed_limits(const Runner& runner) {
  LimitSet needed = runner.limits;
  for (const Language& language : runner.languages) {
    if (!language.compile.empty()) return with_compiler(needed, runner);
  }
  return needed;
}

LimitSet needed_limits(const Runner& runner, const Language& language, LanguageAction action) {
  if (language.compile.empty() || action == LanguageAction::run) return runner.limits;
  return with_compiler(runner.limits, runner);
}

Result<LanguageCommand> apply_language(const RunRequest& request, const Runner& runner,
                                       const Language& language, LanguageStep step, const LimitSet& granted,
                                       const LanguagePlace& place) {
  const LanguageRequest& asked = *request.language;
  const auto index = static_cast<std::size_t>(asked.action);
  const std::string_view action = kLanguageActions[index];
  if (language.commands[index].empty()) {
    return fail("language '" + language.name + "' has no action '" + std::string(action) + "' in image '" +
                request.image + "'; it has: " + listed_actions(language));
  }
  if (asked.compile_limits != LimitSet{} && !compiles(request, language)) {
    return fail("--compile-limit: nothing is compiled by action '" + std::string(action) + "' of language '" +
                language.name + "' in image '" + request.image + "'");
  }
  const bool is_compile = step == LanguageStep::compile;
  const std::vector<std::string>& words = is_compile ? language.compile : language.commands[index];
  TRY(check_target(asked, words, action));
  LanguageCommand made;
  if (compiles(request, language)) made.build = is_compile ? BuildPlace::written : BuildPlace::read;
  made.language = language.name;
  made.files = TRY(name_files(asked, language));
  made.writable = runner.writable;
  if (asked.action == LanguageAction::test) made.report = language.report;
  if (made.report) {
    if (const auto bind = touching(request, report_in(place)))
      return fail(*bind + ": would hide the report of the tests (" + report_in(place) + ")");
  }

  const bool in_start_directory = place.empty() && request.project.empty() && request.cwd.empty() &&
                                  !request.here && !hidden_by(request, kStartDirectory, made.files);
  PlaceholderValues values;
  values.report = report_in(place);
  values.directory = in_start_directory ? kStartDirectory : kOwnDirectory;
  if (!place.empty()) values.directory = place + "/code";
  if (!made.files.empty()) {
    made.directory = values.directory;
    if (const auto bind = hidden_by(request, made.directory, made.files))
      return fail(*bind + ": would hide the code, which lies in " + made.directory);
  }
  if (made.build != BuildPlace::none) {
    values.out = place.empty() ? std::string(kBuildPath) : place + "/build";
    if (const auto bind = touching(request, values.out))
      return fail(*bind + ": would hide what was compiled, or lie in it (" + values.out + ")");
  }
  const std::string before = in_start_directory ? "" : values.directory + "/";
  values.file = asked.code ? before + made.files.front().name : asked.path;
  if (made.files.empty()) values.directory = directory_of(asked.path);
  if (!is_compile) values.arguments = asked.arguments;
  if (!values.file.empty()) values.sources.push_back(values.file);
  for (std::size_t i = asked.code ? 1 : 0; i < made.files.size(); ++i) {
    if (ending_of(made.files[i].name) == ending_of(values.file))
      values.sources.push_back(before + made.files[i].name);
  }
  values.memory_bytes = granted.memory_bytes;
  values.milli_cpus = granted.milli_cpus;
  made.command = TRY(expand_command(words, values));
  for (const auto& [name, text] : runner.environment) {
    if (const auto value = expand_text(text, values)) made.environment.push_back(name + "=" + *value);
  }
  return made;
}

}  // namespace sbx
