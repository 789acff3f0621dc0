#include "language_options.h"

#include <fcntl.h>

#include <algorithm>
#include <array>

#include "base/suggest.h"
#include "base/units.h"
#include "os/file.h"

namespace sbx::sbxrun {
namespace {

constexpr std::array<std::string_view, 6> kOptions{"language", "code",   "file",
                                                   "add-file", "action", "compile-limit"};

Result<SourceFile> read_source(const std::string& what, const std::string& path, std::string name) {
  SourceFile file;
  file.name = name.empty() ? path.substr(path.find_last_of('/') + 1) : std::move(name);
  TRY(check_source_name(what, file.name));
  file.content = TRY_DOING(what, os::read_file(AT_FDCWD, path, kMostSourceBytes));
  return file;
}

// The files of the request, of which there may be 4M in all.
Result<void> check_sources(const std::string& what, const LanguageRequest& language) {
  std::size_t bytes = language.code ? language.code->content.size() : 0;
  for (const SourceFile& file : language.files) bytes += file.content.size();
  if (bytes > kMostSourceBytes)
    return fail(what + ": code and files are larger than " + format_bytes(kMostSourceBytes) +
                " together; more comes in by --bind or in a project");
  if (language.files.size() > kMostSourceFiles)
    return fail(what + ": more than " + std::to_string(kMostSourceFiles) + " files");
  return {};
}

Result<void> add_file(const std::string& what, const std::string& value, LanguageRequest& language) {
  const std::size_t colon = value.find(':');
  const std::string name = colon == std::string::npos ? "" : value.substr(colon + 1);
  if (colon != std::string::npos && name.empty()) return fail(what + ": '" + value + "': the name is empty");
  SourceFile file = TRY(read_source(what, value.substr(0, colon), name));
  language.files.push_back(std::move(file));
  return check_sources(what, language);
}

Result<void> set_code(const std::string& what, SourceFile code, LanguageRequest& language) {
  if (language.code)
    return fail(what + ": the code is given already; it comes from one --code or --file, or '-'");
  language.code = std::move(code);
  return check_sources(what, language);
}

Result<void> set_action(const std::string& what, const std::string& value, LanguageRequest& language) {
  const auto found = std::ranges::find(kLanguageActions, value);
  if (found == kLanguageActions.end())
    return fail(what + ": no action '" + value + "': " + suggest(value, kLanguageActions));
  language.action = static_cast<LanguageAction>(found - kLanguageActions.begin());
  return {};
}

Result<void> set_compile_limit(const std::string& what, const std::string& value, LanguageRequest& language) {
  const std::size_t equals = value.find('=');
  const std::string name = value.substr(0, equals);
  const LimitField* field = find_limit(name);
  if (equals == std::string::npos || field == nullptr) {
    std::vector<std::string_view> names;
    names.reserve(kLimits.size());
    for (const LimitField& limit : kLimits) names.push_back(limit.key);
    return fail(what + ": '" + value +
                "' is not LIMIT=VALUE with a limit by its flag: " + suggest(name, names));
  }
  language.compile_limits.*field->member =
      TRY(parse_limit(*field, what + " " + name, value.substr(equals + 1)));
  return {};
}

Result<void> take_code(const std::string& word, Options& options) {
  RunRequest& request = options.request;
  LanguageRequest& language = *request.language;
  if (language.code)
    return fail("'" + word + "': the code is given already; arguments of the program come after '--'");
  if (word == "-") {
    std::string text = TRY(os::read_all(0, "standard input", kMostSourceBytes));
    options.stdin_is_code = true;
    return set_code("standard input", {"", std::move(text)}, language);
  }
  // In a workspace that is new there is nothing yet.
  const bool is_new = request.project.empty() && request.cwd.empty() && !request.here &&
                      request.binds.empty() && language.files.empty();
  if (is_new && !word.starts_with('/'))
    return fail("'" + word + "': the sandbox does not see the current directory; use --file " + word +
                ", or --here before it");
  language.path = word;
  return {};
}

}  // namespace

bool is_language_option(std::string_view name) { return std::ranges::find(kOptions, name) != kOptions.end(); }

Result<void> apply_language_option(const std::string& name, const std::string& what, const std::string& value,
                                   Options& options) {
  if (!options.request.language) options.request.language.emplace();
  LanguageRequest& language = *options.request.language;
  if (name == "add-file") return add_file(what, value, language);
  if (name == "code") return set_code(what, {"", value}, language);
  if (name == "action") return set_action(what, value, language);
  if (name == "compile-limit") return set_compile_limit(what, value, language);
  if (name == "file") {
    SourceFile code = TRY(read_source(what, value, ""));
    return set_code(what, std::move(code), language);
  }
  TRY(check_language_name(what, value));
  language.name = value;
  return {};
}

Result<void> take_language_words(std::vector<std::string> rest, bool after_dashes, Options& options) {
  LanguageRequest& language = *options.request.language;
  if (options.help || options.version) return {};
  if (language.name.empty())
    return fail("--code, --file, --add-file, --action and --compile-limit need a --language");
  if (!after_dashes && !rest.empty()) {
    TRY(take_code(rest.front(), options));
    rest.erase(rest.begin());
    if (!rest.empty() && rest.front() != "--")
      return fail("'" + rest.front() + "': arguments of the program come after '--'");
    if (!rest.empty()) rest.erase(rest.begin());
  }
  const bool needs_code = language.action == LanguageAction::run || language.action == LanguageAction::check;
  if (needs_code && !language.code && language.path.empty())
    return fail(
        "no code; give --code TEXT, --file PATH, '-' for standard input, or the path of a file inside");
  language.arguments = std::move(rest);
  return {};
}

}  // namespace sbx::sbxrun
