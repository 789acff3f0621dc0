#include <algorithm>
#include <array>
#include <span>

#include "base/names.h"
#include "base/suggest.h"
#include "base/units.h"
#include "policy/policy.h"
#include "policy/yaml_reader.h"

namespace sbx {
namespace {

constexpr std::array<std::string_view, 13> kKeys{
    "name",           "description",        "limits",
    "ceilings",       "wall_time_with_tty", "seccomp",
    "writable_root",  "workspace",          "background_processes",
    "allow_degraded", "bind_roots",         "report_denials",
    "uploads"};
constexpr std::array<std::string_view, 1> kWorkspaceKeys{"layout"};
constexpr std::array<std::string_view, 4> kBindRootKeys{"path", "mode", "users", "groups"};
constexpr std::array<std::string_view, 2> kBindModeWords{"ro", "rw"};
constexpr std::array<std::string_view, 2> kUploadKeys{"file_bytes", "types"};
constexpr std::array<std::string_view, 2> kTtyWords{"limited", "unlimited"};
constexpr std::array<std::string_view, 2> kLayoutWords{"split", "flat"};

constexpr auto kLimitKeys = [] {
  std::array<std::string_view, kLimits.size()> keys;
  std::ranges::transform(kLimits, keys.begin(), &LimitField::key);
  return keys;
}();

constexpr auto kControlNames = [] {
  std::array<std::string_view, kDegradableControls.size()> names;
  std::ranges::transform(kDegradableControls, names.begin(), &DegradableControl::name);
  return names;
}();

Result<std::optional<std::uint64_t>> read_limit(std::string_view path, const yaml::Map& map,
                                                std::string_view where, const LimitField& field) {
  const std::string text = TRY(map.need_text(field.key));
  const std::string_view unlimited = unlimited_word(field);
  if (text == unlimited) return std::optional<std::uint64_t>{};
  const Result<std::uint64_t> value =
      parse_limit(field, std::string(where) + ": " + std::string(field.key), text);
  if (value) return std::optional(*value);
  return yaml::error_at(path, *map.find(field.key),
                        value.error().text + "; for no limit say '" + std::string(unlimited) + "'");
}

// Every limit must be named: a forgotten one would silently be no limit.
Result<LimitSet> read_limits(std::string_view path, const yaml::Node& node) {
  const yaml::Map map = TRY(yaml::Map::open(path, node, "limits", kLimitKeys));
  LimitSet limits;
  for (const LimitField& field : kLimits) {
    if (map.find(field.key) == nullptr) {
      return map.error(field.key,
                       "is missing; for no limit say '" + std::string(unlimited_word(field)) + "'");
    }
    limits.*field.member = TRY(read_limit(path, map, "limits", field));
  }
  return limits;
}

Result<LimitSet> read_ceilings(std::string_view path, const yaml::Node& node, const LimitSet& limits) {
  const yaml::Map map = TRY(yaml::Map::open(path, node, "ceilings", kLimitKeys));
  LimitSet ceilings;
  for (const LimitField& field : kLimits) {
    if (map.find(field.key) == nullptr) continue;
    const std::optional<std::uint64_t> ceiling = TRY(read_limit(path, map, "ceilings", field));
    const std::optional<std::uint64_t> limit = limits.*field.member;
    if (ceiling && limit && *limit > *ceiling) {
      return map.error(field.key, limit_with_unit(field, *ceiling) + " is below the default in limits (" +
                                      limit_with_unit(field, *limit) + "); raise it, or lower the default");
    }
    ceilings.*field.member = ceiling;
  }
  return ceilings;
}

Result<std::vector<std::string>> read_degraded(std::string_view path, const yaml::Map& map) {
  constexpr std::string_view kKey = "allow_degraded";
  std::vector<std::string> names;
  if (map.find(kKey) == nullptr) return names;
  const std::vector<yaml::Node>* items = TRY(map.need_list(kKey));
  for (const yaml::Node& item : *items) {
    std::string name = TRY(yaml::scalar_text(path, item, kKey));
    if (std::ranges::find(kControlNames, name) == kControlNames.end()) {
      return yaml::error_at(path, item,
                            "allow_degraded: no control '" + name + "': " + suggest(name, kControlNames));
    }
    if (std::ranges::find(names, name) != names.end()) {
      return yaml::error_at(path, item, "allow_degraded: '" + name + "' is named twice");
    }
    names.push_back(std::move(name));
  }
  return names;
}

// Names of the host or numbers; one that it does not have is nobody's.
Result<std::vector<std::string>> read_who(std::string_view path, const yaml::Map& map, std::string_view key) {
  std::vector<std::string> names;
  if (map.find(key) == nullptr) return names;
  const std::vector<yaml::Node>* items = TRY(map.need_list(key));
  if (items->empty()) return map.error(key, "names nobody; leave it out, or name somebody");
  for (const yaml::Node& item : *items) {
    names.push_back(TRY(yaml::scalar_text(path, item, key)));
    if (names.back().empty()) return yaml::error_at(path, item, std::string(key) + ": an empty name");
  }
  return names;
}

Result<std::vector<BindRoot>> read_bind_roots(std::string_view path, const yaml::Map& map) {
  constexpr std::string_view kKey = "bind_roots";
  std::vector<BindRoot> roots;
  if (map.find(kKey) == nullptr) return roots;
  const std::vector<yaml::Node>* items = TRY(map.need_list(kKey));
  for (const yaml::Node& item : *items) {
    const yaml::Map one = TRY(yaml::Map::open(path, item, std::string(kKey), kBindRootKeys));
    BindRoot root;
    const std::string text = TRY(one.need_text("path"));
    const Result<std::string> clean = check_inside_path("path", text);
    if (!clean) return yaml::error_at(path, *one.find("path"), std::string(kKey) + ": " + clean.error().text);
    if (*clean == "/") return one.error("path", "'/' is everything; name the directories");
    root.path = *clean;
    root.writable = TRY(one.choice("mode", kBindModeWords, 0)) == 1;
    root.users = TRY(read_who(path, one, "users"));
    root.groups = TRY(read_who(path, one, "groups"));
    roots.push_back(std::move(root));
  }
  return roots;
}

// "text/plain", "text/*" or "*/*", as RFC 6838 spells types.
bool is_type_pattern(std::string_view text) {
  if (text == "*/*") return true;
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  const auto is_word = [](std::string_view word) {
    constexpr std::string_view kMarks = "!#$&-^_.+";
    return !word.empty() && std::ranges::all_of(word, [&](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || kMarks.find(c) != std::string_view::npos;
    });
  };
  const std::string_view kind = text.substr(slash + 1);
  return is_word(text.substr(0, slash)) && (kind == "*" || is_word(kind));
}

Result<UploadRules> read_uploads(std::string_view path, const yaml::Node& node) {
  const yaml::Map map = TRY(yaml::Map::open(path, node, "uploads", kUploadKeys));
  UploadRules rules;
  if (const yaml::Node* most = map.find("file_bytes")) {
    const std::string text = TRY(map.need_text("file_bytes"));
    const Result<std::uint64_t> bytes = parse_bytes("uploads: file_bytes", text);
    if (text == "none") {
      rules.file_bytes.reset();
    } else if (bytes) {
      rules.file_bytes = *bytes;
    } else {
      return yaml::error_at(path, *most, bytes.error().text + "; for no limit say 'none'");
    }
  }
  if (map.find("types") == nullptr) return rules;
  rules.types.clear();
  const std::vector<yaml::Node>* items = TRY(map.need_list("types"));
  for (const yaml::Node& item : *items) {
    std::string type = TRY(yaml::scalar_text(path, item, "types"));
    if (!is_type_pattern(type))
      return yaml::error_at(
          path, item, "uploads: types: '" + type + "' is no type such as 'text/plain', 'text/*' or '*/*'");
    rules.types.push_back(std::move(type));
  }
  return rules;
}

Result<std::string> read_name(std::string_view path, const yaml::Map& map, std::string_view key) {
  std::string name = TRY(map.need_text(key));
  const Result<void> checked = check_name(key, name);
  if (!checked) return yaml::error_at(path, *map.find(key), checked.error().text);
  return name;
}

}  // namespace

Result<Policy> parse_policy(std::string_view path, std::string_view text) {
  const yaml::Node document = TRY(yaml::parse_document(path, text));
  const yaml::Map map = TRY(yaml::Map::open(path, document, "", kKeys));
  Policy policy;
  policy.name = TRY(read_name(path, map, "name"));
  policy.description = TRY(map.need_text("description"));
  const yaml::Node* limits = TRY(map.need("limits"));
  policy.limits = TRY(read_limits(path, *limits));
  if (const yaml::Node* ceilings = map.find("ceilings")) {
    policy.ceilings = TRY(read_ceilings(path, *ceilings, policy.limits));
  }
  policy.wall_time_with_tty = TRY(map.choice("wall_time_with_tty", kTtyWords, 0)) == 0;
  policy.seccomp = TRY(read_name(path, map, "seccomp"));
  policy.writable_root = TRY(map.boolean("writable_root", false));
  if (const yaml::Node* node = map.find("workspace")) {
    const yaml::Map workspace = TRY(yaml::Map::open(path, *node, "workspace", kWorkspaceKeys));
    policy.workspace_layout = static_cast<WorkspaceLayout>(TRY(workspace.choice("layout", kLayoutWords, 0)));
  }
  policy.allow_degraded = TRY(read_degraded(path, map));
  policy.background_processes = TRY(map.boolean("background_processes", false));
  policy.bind_roots = TRY(read_bind_roots(path, map));
  policy.report_denials = TRY(map.boolean("report_denials", false));
  if (const yaml::Node* uploads = map.find("uploads")) policy.uploads = TRY(read_uploads(path, *uploads));
  return policy;
}

}  // namespace sbx
