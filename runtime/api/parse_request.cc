#include "api/parse_request.h"

#include <algorithm>
#include <array>

#include "base/names.h"
#include "base/suggest.h"
#include "request/check_binds.h"
#include "request/check_environment.h"

namespace sbx::api {
namespace {

constexpr std::size_t kMostLabels = 64;

constexpr std::array<std::string_view, 13> kOfCommand{
    "command", "shell",        "cwd",        "env", "env_vars", "limits", "stdin",
    "labels",  "stdin_base64", "timeout_ms", "tty", "rows",     "cols"};
// Of a sandbox that is there only.
constexpr std::array<std::string_view, 2> kOfExec{"session", "fatal"};
constexpr std::array<std::string_view, 7> kOfLanguage{"language",  "code",   "path",          "files",
                                                      "arguments", "action", "compile_limits"};
constexpr std::array<std::string_view, 12> kOfRun{
    "image",          "policy",      "project_id",   "task_id",  "session_id",       "binds",
    "workspace_mode", "transaction", "show_changes", "hostname", "environment_type", "packages"};
constexpr std::array<std::string_view, 19> kOfSandbox{
    "task_id",  "session_id",    "project_id", "image",    "environment_type", "policy",   "limits",
    "env",      "env_vars",      "labels",     "idle_ms",  "total_ms",         "hostname", "workspace_mode",
    "packages", "configuration", "binds",      "language", "transaction"};

// Both names of one thing: only one may be given.
Result<std::optional<std::string>> either(const JsonObject& body, std::string_view one,
                                          std::string_view other) {
  if (body.has(one) && body.has(other))
    return fail("'" + std::string(one) + "' and '" + std::string(other) + "' mean the same: give one");
  return body.has(other) ? body.text(other) : body.text(one);
}

Result<void> read_environment(const JsonObject& body, RunRequest& request) {
  if (body.has("env") && body.has("env_vars")) return fail("'env' and 'env_vars' mean the same: give one");
  const auto variables = TRY(body.text_map(body.has("env_vars") ? "env_vars" : "env"));
  if (!variables) return {};
  for (const auto& [name, value] : *variables) request.environment.push_back({name, value});
  return check_environment(body.has("env_vars") ? "env_vars" : "env", request.environment);
}

Result<Labels> read_labels(const JsonObject& body) {
  const Labels labels = TRY(body.text_map("labels")).value_or(Labels());
  if (labels.size() > kMostLabels) return fail("'labels': more than " + std::to_string(kMostLabels));
  for (const auto& [name, value] : labels) {
    TRY(check_name("labels", name));
    if (name.starts_with("sbx."))
      return fail("'labels." + name + "': names that begin with 'sbx.' are sbx's own");
    if (value.size() > 256) return fail("'labels." + name + "': longer than 256 bytes");
  }
  return labels;
}

template <std::size_t N>
Result<std::uint8_t> read_choice(const JsonObject& body, std::string_view key,
                                 const std::array<std::string_view, N>& words) {
  const std::optional<std::string> word = TRY(body.text(key));
  if (!word) return std::uint8_t{0};
  const auto found = std::ranges::find(words, *word);
  if (found == words.end()) return fail("'" + body.name(key) + "': " + suggest(*word, words));
  return static_cast<std::uint8_t>(found - words.begin());
}

Result<void> read_terminal(const JsonObject& body, RunRequest& request) {
  request.tty = TRY(body.boolean("tty")).value_or(false);
  for (const auto& [key, size] :
       {std::pair<const char*, std::uint16_t*>{"rows", &request.tty_rows}, {"cols", &request.tty_columns}}) {
    const auto value = TRY(body.count(key));
    if (!value) continue;
    if (!request.tty) return fail("'" + std::string(key) + "' needs 'tty': true");
    if (*value < 1 || *value > UINT16_MAX)
      return fail("'" + std::string(key) + "': give 1 to " + std::to_string(UINT16_MAX));
    *size = static_cast<std::uint16_t>(*value);
  }
  if (!request.tty) return {};
  for (const char* key : {"stdin", "stdin_base64", "session"}) {
    if (body.has(key))
      return fail("'" + std::string(key) + "': does not go with 'tty'; type it at the terminal");
  }
  if (request.limits.output_bytes)
    return fail("'limits.output_bytes': does not go with 'tty': what is written to a terminal is not kept");
  return {};
}

Result<void> read_command(const JsonObject& body, AskedRun& asked) {
  RunRequest& request = asked.request;
  const int ways = (body.has("command") ? 1 : 0) + (body.has("shell") ? 1 : 0) + (request.language ? 1 : 0);
  if (ways != 1)
    return fail(request.language ? "'language' has a command of its own: no 'command' and no 'shell'"
                                 : "give one of 'command', 'shell' and 'language'");
  if (const auto line = TRY(body.text("shell"))) request.command = {"/bin/sh", "-c", *line};
  if (auto command = TRY(body.texts("command"))) {
    if (command->empty()) return fail("'command' is empty");
    request.command = std::move(*command);
  }
  if (const auto directory = TRY(body.text("cwd"))) request.cwd = TRY(check_inside_path("'cwd'", *directory));
  TRY(read_environment(body, request));
  request.limits = TRY(body.limits("limits"));
  if (const auto timeout = TRY(body.count("timeout_ms"))) {
    if (request.limits.wall_ms) return fail("'timeout_ms' and 'limits.wall_ms' mean the same: give one");
    TRY(check_limit(*find_limit("wall-time"), "'timeout_ms'", *timeout));
    request.limits.wall_ms = *timeout;
  }
  if (body.has("stdin") && body.has("stdin_base64")) return fail("'stdin' and 'stdin_base64': give one");
  asked.input = body.has("stdin") ? TRY(body.text("stdin")) : TRY(body.bytes("stdin_base64"));
  asked.labels = TRY(read_labels(body));
  TRY(read_terminal(body, request));
  request.streams = {asked.input ? StreamMode::relay : StreamMode::null, StreamMode::spill,
                     StreamMode::spill};
  return {};
}

Result<std::vector<SourceFile>> read_files(const JsonObject& body) {
  constexpr std::array<std::string_view, 3> kKeys{"name", "content", "content_base64"};
  std::vector<SourceFile> files;
  const auto list = TRY(body.objects("files"));
  if (list && list->size() > kMostSourceFiles)
    return fail("'files': more than " + std::to_string(kMostSourceFiles));
  for (const JsonObject& item : list.value_or(std::vector<JsonObject>())) {
    TRY(item.only(kKeys));
    SourceFile file;
    file.name = TRY(item.text("name")).value_or("");
    TRY(check_source_name(item.name("name"), file.name));
    const bool encoded = item.has("content_base64");
    if (encoded == item.has("content"))
      return fail("'" + item.name("content") + "': give it, or 'content_base64'");
    file.content = *(encoded ? TRY(item.bytes("content_base64")) : TRY(item.text("content")));
    files.push_back(std::move(file));
  }
  return files;
}

Result<void> read_language(const JsonObject& body, RunRequest& request) {
  const std::optional<std::string> name = TRY(body.text("language"));
  if (!name) {
    for (const char* key : {"code", "path", "files", "arguments", "action", "compile_limits"}) {
      if (body.has(key)) return fail("'" + std::string(key) + "' needs a 'language'");
    }
    return {};
  }
  LanguageRequest& language = request.language.emplace();
  language.name = *name;
  TRY(check_language_name("language", language.name));
  language.action = static_cast<LanguageAction>(TRY(read_choice(body, "action", kLanguageActions)));
  if (auto code = TRY(body.text("code"))) language.code = SourceFile{"", std::move(*code)};
  language.path = TRY(body.text("path")).value_or("");
  if (language.code && !language.path.empty()) return fail("'path': there is 'code' in its place");
  language.files = TRY(read_files(body));
  language.arguments = TRY(body.texts("arguments")).value_or(std::vector<std::string>());
  language.compile_limits = TRY(body.limits("compile_limits"));
  return {};
}

Result<void> read_binds(const JsonObject& body, RunRequest& request) {
  constexpr std::array<std::string_view, 3> kKeys{"host", "inside", "mode"};
  const auto list = TRY(body.objects("binds"));
  for (const JsonObject& item : list.value_or(std::vector<JsonObject>())) {
    TRY(item.only(kKeys));
    BindRequest bind;
    for (const auto& [key, path] : {std::pair("host", &bind.host), std::pair("inside", &bind.inside)}) {
      const auto text = TRY(item.text(key));
      if (!text) return fail("'" + item.name(key) + "': give it");
      *path = TRY(check_inside_path(item.name(key), *text));
    }
    bind.mode = static_cast<BindMode>(TRY(read_choice(item, "mode", kBindModes)));
    request.binds.push_back(std::move(bind));
  }
  return check_binds(request.binds);
}

// What both a run and a sandbox are made with.
Result<void> read_place(const JsonObject& body, RunRequest& request) {
  if (const auto packages = TRY(body.texts("packages")); packages && !packages->empty())
    return fail("'packages': cannot be installed yet; make an image that has them");
  request.task_id = TRY(either(body, "task_id", "session_id")).value_or("");
  request.project = TRY(body.text("project_id")).value_or("");
  for (const auto& [key, name] : {std::pair<const char*, const std::string&>{"task_id", request.task_id},
                                  {"project_id", request.project}}) {
    if (!name.empty()) TRY(check_name(key, name));
  }
  if (const auto image = TRY(either(body, "image", "environment_type"))) {
    TRY(check_name("image", *image));
    request.image = *image;
  } else if (request.language) {
    request.image.clear();
  }
  if (const auto policy = TRY(body.text("policy"))) {
    TRY(check_name("policy", *policy));
    request.policy = *policy;
  }
  request.workspace_mode =
      static_cast<WorkspaceMode>(TRY(read_choice(body, "workspace_mode", kWorkspaceModeNames)));
  if (const auto hostname = TRY(body.text("hostname"))) {
    TRY(check_hostname("hostname", *hostname));
    request.hostname = *hostname;
  }
  return read_binds(body, request);
}

// The one to go on with.
Result<void> read_transaction(const JsonObject& body, RunRequest& request) {
  const auto transaction = TRY(body.text("transaction"));
  if (!transaction) return {};
  TRY(check_name("transaction", *transaction));
  if (body.has("workspace_mode") && request.workspace_mode != WorkspaceMode::transaction)
    return fail("'transaction': not with another 'workspace_mode'");
  request.workspace_mode = WorkspaceMode::transaction;
  request.transaction = *transaction;
  return {};
}

// As the keeper will, which could tell it only as the end of a run.
Result<void> check_readable(const RunRequest& request) {
  TRY(decode_run_request(encode_run_request(request)));
  return {};
}

// A sandbox is made of an image, or of the one that has a language: its keeper looks for both.
Result<void> read_image_or_language(const JsonObject& body, RunRequest& request) {
  const std::optional<std::string> language = TRY(body.text("language"));
  if (!language) return {};
  for (const char* key : {"image", "environment_type"}) {
    if (body.has(key)) return fail("'language' and '" + std::string(key) + "' mean the same: give one");
  }
  request.image.clear();
  request.language.emplace().name = *language;
  return check_language_name("language", request.language->name);
}

// All others are the sandbox's.
Result<void> check_limits_of_command(const LimitSet& limits) {
  for (const LimitField& field : kLimits) {
    const bool is_own = field.member == &LimitSet::wall_ms || field.member == &LimitSet::cpu_ms ||
                        field.member == &LimitSet::output_bytes;
    if (!is_own && limits.*field.member)
      return fail(
          "'limits." + std::string(field.name) +
          "': belongs to the sandbox, which has it from its making; a command has 'wall_ms', 'cpu_ms' "
          "and 'output_bytes'");
  }
  return {};
}

}  // namespace

Result<AskedRun> parse_run(const JsonObject& body) {
  std::vector<std::string_view> known(kOfCommand.begin(), kOfCommand.end());
  known.insert(known.end(), kOfLanguage.begin(), kOfLanguage.end());
  known.insert(known.end(), kOfRun.begin(), kOfRun.end());
  TRY(body.only(known));
  AskedRun asked;
  TRY(read_language(body, asked.request));
  TRY(read_place(body, asked.request));
  TRY(read_transaction(body, asked.request));
  asked.request.show_changes = TRY(body.boolean("show_changes")).value_or(false);
  TRY(read_command(body, asked));
  TRY(check_readable(asked.request));
  return asked;
}

Result<AskedRun> parse_command(const JsonObject& body) {
  std::vector<std::string_view> known(kOfCommand.begin(), kOfCommand.end());
  known.insert(known.end(), kOfLanguage.begin(), kOfLanguage.end());
  known.insert(known.end(), kOfExec.begin(), kOfExec.end());
  TRY(body.only(known));
  AskedRun asked;
  TRY(read_language(body, asked.request));
  TRY(read_command(body, asked));
  TRY(check_limits_of_command(asked.request.limits));
  asked.fatal = TRY(body.boolean("fatal")).value_or(false);
  if (const auto session = TRY(body.text("session"))) {
    TRY(check_name("session", *session));
    const auto line = TRY(body.text("shell"));
    if (!line) return fail("'session' takes a line: give 'shell'");
    for (const char* key : {"cwd", "env", "env_vars", "stdin", "stdin_base64"}) {
      if (body.has(key)) return fail("'" + std::string(key) + "': a session has its own; set it in a line");
    }
    asked.request.session = *session;
    asked.request.command = {*line};
  }
  TRY(check_readable(asked.request));
  return asked;
}

Result<AskedSandbox> parse_sandbox(const JsonObject& body) {
  TRY(body.only(kOfSandbox));
  AskedSandbox asked;
  asked.request.action = RequestAction::keep;
  TRY(read_place(body, asked.request));
  TRY(read_transaction(body, asked.request));
  TRY(read_image_or_language(body, asked.request));
  TRY(read_environment(body, asked.request));
  asked.request.limits = TRY(body.limits("limits"));
  asked.labels = TRY(read_labels(body));
  if (const auto name = TRY(body.text("configuration"))) {
    TRY(check_name("configuration", *name));
    asked.configuration = *name;
  }
  for (const auto& [key, time] :
       {std::pair("idle_ms", &AskedSandbox::idle_ms), std::pair("total_ms", &AskedSandbox::total_ms)}) {
    asked.*time = TRY(body.count(key));
    if (asked.*time == std::uint64_t{0})
      return fail("'" + std::string(key) + "': give at least 1, or leave it out for no such end");
    if (asked.*time > kMostMilliseconds) return fail("'" + std::string(key) + "': at most 100 years");
  }
  TRY(check_readable(asked.request));
  return asked;
}

}  // namespace sbx::api
