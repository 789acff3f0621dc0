#include "run/load_config.h"

#include <array>

#include "base/names.h"
#include "base/units.h"
#include "monitor/syslog.h"
#include "plan/sandbox_plan.h"
#include "policy/trusted_file.h"
#include "policy/yaml_reader.h"
#include "run/read_api_config.h"

namespace sbx {
namespace {

constexpr std::array<std::string_view, 18> kKeys{
    "state_dir",  "run_dir",   "log",          "id_pool",       "cgroup_parent",    "image_max_age_days",
    "auto_build", "languages", "socket_group", "max_sandboxes", "listen",           "origins",
    "tokens",     "admission", "pool",         "history",       "cleanup_interval", "prepare_images"};
constexpr std::array<std::string_view, 3> kHistoryKeys{"runs", "output_bytes", "days"};
constexpr std::array<std::string_view, 4> kLogKeys{"path", "rotate", "keep", "syslog"};
constexpr std::array<std::string_view, 2> kPoolKeys{"first", "ranges"};

Result<void> read_path(const yaml::Map& map, std::string_view key, std::string& target) {
  if (map.find(key) == nullptr) return {};
  std::string path = TRY(map.need_text(key));
  if (!path.starts_with('/')) return map.error(key, "'" + path + "' is not an absolute path");
  target = std::move(path);
  return {};
}

// An error of a parser begins with the key; that of the map says it with its place.
Result<std::uint64_t> in_place(const yaml::Map& map, std::string_view key, Result<std::uint64_t> value) {
  if (!value) return map.error(key, std::string_view(value.error().text).substr(key.size() + 2));
  return value;
}

Result<void> read_number(const yaml::Map& map, std::string_view key, std::uint64_t most,
                         std::uint32_t& target) {
  if (map.find(key) == nullptr) return {};
  const auto text = TRY(map.need_text(key));
  const std::uint64_t value = TRY(in_place(map, key, parse_count(key, text)));
  if (value > most) {
    return map.error(key,
                     "'" + std::to_string(value) + "' is too large; give at most " + std::to_string(most));
  }
  target = static_cast<std::uint32_t>(value);
  return {};
}

Result<void> read_days(const yaml::Map& map, std::string_view key, std::optional<std::uint32_t>& days) {
  if (map.find(key) == nullptr) return {};
  const auto text = TRY(map.need_text(key));
  days.reset();
  if (text == "none") return {};
  return read_number(map, key, 36'500, days.emplace());
}

Result<void> read_history(std::string_view path, const yaml::Node& node, HistorySettings& history) {
  const yaml::Map map = TRY(yaml::Map::open(path, node, "history", kHistoryKeys));
  TRY(read_number(map, "runs", 10'000'000, history.runs));
  if (map.find("output_bytes") != nullptr) {
    const auto text = TRY(map.need_text("output_bytes"));
    history.output_bytes = TRY(in_place(map, "output_bytes", parse_bytes("output_bytes", text)));
  }
  return read_days(map, "days", history.days);
}

Result<void> read_interval(const yaml::Map& map, std::uint64_t& ms) {
  constexpr std::string_view kKey = "cleanup_interval";
  if (map.find(kKey) == nullptr) return {};
  const auto text = TRY(map.need_text(kKey));
  ms = text == "off" ? 0 : TRY(in_place(map, kKey, parse_milliseconds(kKey, text)));
  return {};
}

// "all", "none", or a list of names.
Result<void> read_prepared(std::string_view path, const yaml::Map& map,
                           std::optional<std::vector<std::string>>& images) {
  constexpr std::string_view kKey = "prepare_images";
  const yaml::Node* node = map.find(kKey);
  if (node == nullptr) return {};
  images.reset();
  if (node->kind == yaml::Kind::scalar) {
    if (node->text == "all") return {};
    if (node->text != "none")
      return map.error(kKey, "'" + node->text + "': expected all, none, or a list of images");
    images.emplace();
    return {};
  }
  images.emplace();
  for (const yaml::Node& item : *TRY(map.need_list(kKey))) {
    std::string name = TRY(yaml::scalar_text(path, item, kKey));
    if (const auto checked = check_name(kKey, name); !checked)
      return yaml::error_at(path, item, checked.error().text);
    images->push_back(std::move(name));
  }
  return {};
}

Result<void> read_languages(std::string_view path, const yaml::Node& node,
                            std::map<std::string, std::string>& images) {
  if (node.kind != yaml::Kind::map)
    return yaml::error_at(path, node, "languages: expected a map of languages and their images");
  for (std::size_t i = 0; i < node.items.size(); i += 2) {
    const yaml::Node& language = node.items[i];
    const Result<void> known = check_language_name("languages", language.text);
    if (!known) return yaml::error_at(path, language, known.error().text);
    std::string image = TRY(yaml::scalar_text(path, node.items[i + 1], "languages"));
    const Result<void> named = check_name("languages: image", image);
    if (!named) return yaml::error_at(path, node.items[i + 1], named.error().text);
    images[language.text] = std::move(image);
  }
  return {};
}

Result<void> read_log(std::string_view path, const yaml::Node& node, MonitorLogOptions& log) {
  const yaml::Map map = TRY(yaml::Map::open(path, node, "log", kLogKeys));
  TRY(read_path(map, "path", log.path));
  if (map.find("rotate") != nullptr) {
    const auto text = TRY(map.need_text("rotate"));
    log.rotate_bytes = TRY(in_place(map, "rotate", parse_bytes("rotate", text)));
  }
  const bool syslog = TRY(map.boolean("syslog", !log.syslog.empty()));
  log.syslog = syslog ? kSyslogSocket : "";
  return read_number(map, "keep", 1000, log.keep);
}

Result<void> read_pool(std::string_view path, const yaml::Node& node, IdPool& pool) {
  const yaml::Map map = TRY(yaml::Map::open(path, node, "id_pool", kPoolKeys));
  TRY(read_number(map, "first", UINT32_MAX, pool.first));
  TRY(read_number(map, "ranges", 65535, pool.ranges));
  if (pool.ranges < 2)
    return map.error("ranges", "must be at least 2: the first one belongs to the projects");
  // (uid_t)-1 is no id (user_namespaces(7)).
  const std::uint64_t end = std::uint64_t{pool.first} + std::uint64_t{pool.ranges} * kIdsPerSandbox;
  if (end > UINT32_MAX) return map.error("ranges", "the pool goes beyond the last id, 4294967294");
  // Else a range of this pool could overlap two of another's, and claims go by ranges.
  if (pool.first % kIdsPerSandbox != 0) return map.error("first", "is not a multiple of 65536");
  if (pool.first < kIdsPerSandbox) return map.error("first", "the first 65536 ids are the host's own");
  return {};
}

}  // namespace

Result<void> load_config(const std::string& path, Settings& settings) {
  const std::string file = path.empty() ? kDefaultConfig : path;
  const std::optional<std::string> text = TRY(read_trusted_file(file, yaml::kMaxBytes));
  if (!text) {
    if (path.empty()) return {};
    return fail("--config or SBX_CONFIG: there is no file '" + path + "'");
  }
  return parse_config(file, *text, settings);
}

Result<void> parse_config(std::string_view path, std::string_view text, Settings& settings) {
  const yaml::Node document = TRY(yaml::parse_document(path, text));
  const yaml::Map map = TRY(yaml::Map::open(path, document, "", kKeys));
  settings.file = path;
  for (const std::string_view key : kKeys) {
    if (map.find(key) != nullptr) settings.named.emplace(key);
  }
  TRY(read_path(map, "state_dir", settings.state_dir));
  TRY(read_path(map, "run_dir", settings.run_dir));
  TRY(read_path(map, "cgroup_parent", settings.cgroup_parent));
  TRY(read_days(map, "image_max_age_days", settings.image_max_age_days));
  if (map.find("socket_group") != nullptr) settings.socket_group = TRY(map.need_text("socket_group"));
  TRY(read_number(map, "max_sandboxes", 65'535, settings.max_sandboxes));
  TRY(read_prepared(path, map, settings.prepare_images));
  TRY(read_interval(map, settings.cleanup_interval_ms));
  TRY(read_path(map, "tokens", settings.tokens));
  if (const yaml::Node* listen = map.find("listen")) TRY(read_listeners(path, *listen, settings.listeners));
  if (const yaml::Node* origins = map.find("origins")) TRY(read_origins(path, *origins, settings.origins));
  if (const yaml::Node* admission = map.find("admission"))
    TRY(read_admission(path, *admission, settings.admission));
  if (const yaml::Node* pool = map.find("pool")) TRY(read_warm_pool(path, *pool, settings.pool));
  settings.auto_build = TRY(map.boolean("auto_build", settings.auto_build));
  if (const yaml::Node* languages = map.find("languages"))
    TRY(read_languages(path, *languages, settings.language_images));
  if (const yaml::Node* log = map.find("log")) TRY(read_log(path, *log, settings.log));
  if (const yaml::Node* history = map.find("history")) TRY(read_history(path, *history, settings.history));
  if (const yaml::Node* pool = map.find("id_pool")) TRY(read_pool(path, *pool, settings.ids));
  return {};
}

}  // namespace sbx
