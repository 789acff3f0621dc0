#include <algorithm>
#include <array>
#include <span>

#include "base/names.h"
#include "base/path.h"
#include "base/printable.h"
#include "language/placeholders.h"
#include "language/runner.h"
#include "policy/yaml_reader.h"

namespace sbx {
namespace {

constexpr std::array<std::string_view, 5> kKeys{"languages", "limits", "compile_limits", "environment",
                                                "writable"};
constexpr std::array<std::string_view, 6> kLanguageKeys{"name",    "aliases", "file",
                                                        "actions", "report",  "tool"};

constexpr std::string_view kCompile = "compile";
constexpr std::array<std::string_view, 7> kActionKeys{kCompile, "run",  "check",     "test",
                                                      "format", "lint", "type-check"};
static_assert(std::ranges::equal(std::span(kActionKeys).subspan(1), kLanguageActions));

// Directories of the sandbox's own, which no view of the image's may lie on, above or below.
constexpr std::array<std::string_view, 7> kOwnPlaces{"/proc",    "/sys",          "/dev",      "/tmp",
                                                     "/var/tmp", "/home/sandbox", "/workspace"};
constexpr std::size_t kMostWritable = 16;
constexpr std::size_t kMostWritableBytes = 200;  // fsconfig(2) takes 255, with what we put before it
constexpr std::size_t kMostVariableBytes = 128;

// What a program of the image cannot live without. Times and output are the caller's and the policy's to say.
constexpr std::array<std::string_view, 6> kNeeds{"memory", "pids", "nofile", "tmp", "disk", "inodes"};

bool is_variable_name(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && name.size() <= kMostVariableBytes && is_letter(name.front()) &&
         std::ranges::all_of(name, [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

bool overlap(std::string_view one, std::string_view other) {
  return is_below(one, other) || is_below(other, one);
}

class RunnerReader {
 public:
  explicit RunnerReader(std::string_view path) : path_(path) {}

  Result<Runner> read(const yaml::Node& document) {
    const yaml::Map map = TRY(yaml::Map::open(path_, document, "", kKeys));
    const std::vector<yaml::Node>* languages = TRY(map.need_list("languages"));
    if (languages->empty()) return map.error("languages", "has no language");
    for (const yaml::Node& node : *languages) {
      Language language = TRY(read_language(node));
      runner_.languages.push_back(std::move(language));
    }
    if (const yaml::Node* limits = map.find("limits")) TRY(read_limits(*limits, "limits", runner_.limits));
    if (const yaml::Node* limits = map.find("compile_limits"))
      TRY(read_limits(*limits, "compile_limits", runner_.compile_limits));
    if (const yaml::Node* environment = map.find("environment")) TRY(read_environment(*environment));
    if (map.find("writable") != nullptr) TRY(read_writable(map));
    return std::move(runner_);
  }

 private:
  [[nodiscard]] Unexpected error(const yaml::Node& node, std::string_view what) const {
    return yaml::error_at(path_, node, what);
  }

  Result<Language> read_language(const yaml::Node& node) {
    const yaml::Map map = TRY(yaml::Map::open(path_, node, "languages", kLanguageKeys));
    Language language;
    const yaml::Node* name = TRY(map.need("name"));
    language.name = TRY(read_name(*name, "name"));
    if (map.find("aliases") != nullptr) {
      const std::vector<yaml::Node>* aliases = TRY(map.need_list("aliases"));
      for (const yaml::Node& alias : *aliases) {
        std::string word = TRY(read_name(alias, "aliases"));
        language.aliases.push_back(std::move(word));
      }
    }
    language.file = TRY(map.need_text("file"));
    const Result<void> file = check_source_name("file", language.file);
    if (!file) return error(*map.find("file"), file.error().text);
    const yaml::Node* actions = TRY(map.need("actions"));
    TRY(read_actions(*actions, language));
    if (map.find("report") != nullptr)
      language.report = static_cast<ReportFormat>(TRY(map.choice("report", kReportFormats, 0)));
    if (const yaml::Node* tool = map.find("tool")) language.tool = TRY(checked_text(*tool, "tool", false));
    return language;
  }

  // A name means one language of a runner.
  Result<std::string> read_name(const yaml::Node& node, std::string_view key) {
    std::string name = TRY(yaml::scalar_text(path_, node, key));
    const Result<void> checked = check_language_name(key, name);
    if (!checked) return error(node, checked.error().text);
    if (std::ranges::find(names_, name) != names_.end())
      return error(node, std::string(key) + ": '" + name + "' is there twice");
    names_.push_back(name);
    return name;
  }

  Result<void> read_actions(const yaml::Node& node, Language& language) {
    const yaml::Map map = TRY(yaml::Map::open(path_, node, "actions", kActionKeys));
    TRY(read_command(map, kCompile, language.compile));
    for (std::size_t i = 0; i < kLanguageActions.size(); ++i)
      TRY(read_command(map, kLanguageActions[i], language.commands[i]));
    if (language.commands[0].empty()) return map.error(kLanguageActions[0], "is missing");
    // Only the program finds what the compile step left.
    for (std::size_t i = language.compile.empty() ? 0 : 1; i < kLanguageActions.size(); ++i) {
      if (names_placeholder(language.commands[i], "out"))
        return map.error(kLanguageActions[i], "{out} is for compile, and for run behind it");
    }
    return {};
  }

  Result<void> read_command(const yaml::Map& map, std::string_view action,
                            std::vector<std::string>& command) {
    if (map.find(action) == nullptr) return {};
    const std::vector<yaml::Node>* words = TRY(map.need_list(action));
    if (words->empty()) return map.error(action, "the command is empty");
    for (const yaml::Node& word : *words) {
      std::string text = TRY(checked_text(word, action, true));
      command.push_back(std::move(text));
    }
    const std::string& program = command.front();
    if (program.empty() || (program.find('{') != std::string::npos && !program.starts_with("{out}/")))
      return error(words->front(), std::string(action) + ": the first word is the name of a program");
    return {};
  }

  Result<std::string> checked_text(const yaml::Node& node, std::string_view key, bool in_command) {
    std::string text = TRY(yaml::scalar_text(path_, node, key));
    if (text.find('\0') != std::string::npos) return error(node, std::string(key) + ": holds a NUL byte");
    const Result<void> checked = check_placeholders(text, in_command);
    if (!checked) return error(node, std::string(key) + ": " + checked.error().text);
    return text;
  }

  Result<void> read_limits(const yaml::Node& node, const std::string& name, LimitSet& limits) {
    const yaml::Map map = TRY(yaml::Map::open(path_, node, name, kNeeds));
    for (const std::string_view key : kNeeds) {
      const LimitField& field = *find_limit(key);
      if (map.find(key) == nullptr) continue;
      const std::string text = TRY(map.need_text(field.key));
      const Result<std::uint64_t> value = parse_limit(field, name + ": " + std::string(field.key), text);
      if (!value) return error(*map.find(field.key), value.error().text);
      limits.*field.member = *value;
    }
    return {};
  }

  Result<void> read_environment(const yaml::Node& node) {
    if (node.kind != yaml::Kind::map) return error(node, "environment: expected a map of names and values");
    for (std::size_t i = 0; i < node.items.size(); i += 2) {
      const std::string& name = node.items[i].text;
      if (!is_variable_name(name))
        return error(node.items[i],
                     "environment: '" + printable(name) + "' is not a name of letters, digits and '_'");
      std::string value = TRY(checked_text(node.items[i + 1], "environment: " + name, false));
      runner_.environment.emplace_back(name, std::move(value));
    }
    return {};
  }

  Result<void> read_writable(const yaml::Map& map) {
    const std::vector<yaml::Node>* items = TRY(map.need_list("writable"));
    if (items->size() > kMostWritable) return map.error("writable", "more than 16 directories");
    for (const yaml::Node& item : *items) {
      const std::string text = TRY(yaml::scalar_text(path_, item, "writable"));
      Result<std::string> directory = check_inside_path("writable", text);
      if (!directory) return error(item, directory.error().text);
      const std::string shown = "writable: '" + printable(*directory) + "' ";
      // overlayfs takes ':' for the beginning of another layer, which would be one of the host's.
      if (directory->find_first_of(":,\\") != std::string::npos || printable(*directory) != *directory)
        return error(item, shown + "holds ':', ',', a backslash or control characters");
      if (directory->size() > kMostWritableBytes) return error(item, shown + "is longer than 200 bytes");
      const auto clashes = [&](std::string_view other) { return overlap(*directory, other); };
      if (*directory == "/" || std::ranges::any_of(kOwnPlaces, clashes))
        return error(item, shown + "is, holds or lies in a place of the sandbox's own");
      if (std::ranges::any_of(runner_.writable, clashes))
        return error(item, shown + "is, holds or lies in another one");
      runner_.writable.push_back(std::move(*directory));
    }
    return {};
  }

  std::string_view path_;
  Runner runner_;
  std::vector<std::string> names_;
};

}  // namespace

Result<Runner> parse_runner(std::string_view path, std::string_view text) {
  const yaml::Node document = TRY(yaml::parse_document(path, text));
  return RunnerReader(path).read(document);
}

const Language* find_language(const Runner& runner, std::string_view name) {
  const auto is_called = [&](const Language& language) {
    return language.name == name || std::ranges::find(language.aliases, name) != language.aliases.end();
  };
  const auto found = std::ranges::find_if(runner.languages, is_called);
  return found == runner.languages.end() ? nullptr : &*found;
}

}  // namespace sbx
