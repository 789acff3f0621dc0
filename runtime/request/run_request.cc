#include "request/run_request.h"

#include <algorithm>

#include "base/names.h"
#include "base/printable.h"
#include "base/split.h"

namespace sbx {
namespace {

constexpr std::uint32_t kRequestVersion = 7;

void put(wire::Writer& out, const BindRequest& bind) {
  out.put(bind.host);
  out.put(bind.inside);
  out.put(bind.mode);
  out.put(bind.flag);
}

BindRequest get_bind(wire::Reader& in) {
  BindRequest bind;
  bind.host = in.get_string();
  bind.inside = in.get_string();
  bind.mode = in.get_enum(BindMode::copy_on_write);
  bind.flag = in.get_enum(BindFlag::here);
  return bind;
}

void put(wire::Writer& out, const SourceFile& file) {
  out.put(file.name);
  out.put(file.content);
}

SourceFile get_file(wire::Reader& in) {
  SourceFile file;
  file.name = in.get_string();
  file.content = in.get_string();
  return file;
}

void put(wire::Writer& out, const LimitSet& limits) {
  for (const LimitField& field : kLimits) out.put(limits.*field.member);
}

LimitSet get_limits(wire::Reader& in) {
  LimitSet limits;
  for (const LimitField& field : kLimits) limits.*field.member = in.get_optional();
  return limits;
}

void put(wire::Writer& out, const LanguageRequest& language) {
  out.put(language.name);
  out.put(language.action);
  out.put(static_cast<std::uint8_t>(language.code.has_value()));
  if (language.code) put(out, *language.code);
  out.put(language.path);
  out.put(static_cast<std::uint32_t>(language.files.size()));
  for (const SourceFile& file : language.files) put(out, file);
  out.put(language.arguments);
  put(out, language.compile_limits);
}

LanguageRequest get_language(wire::Reader& in) {
  LanguageRequest language;
  language.name = in.get_string();
  language.action = in.get_enum(LanguageAction::type_check);
  if (in.get_bool()) language.code = get_file(in);
  language.path = in.get_string();
  const std::uint32_t count = in.get_count();
  if (count > kMostSourceFiles) in.mark_failed();
  language.files.resize(in.failed() ? 0 : count);
  for (SourceFile& file : language.files) file = get_file(in);
  language.arguments = in.get_strings();
  language.compile_limits = get_limits(in);
  return language;
}

Result<void> check_text(std::string_view field, std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return fail(std::string(field) + ": holds a NUL byte");
  return {};
}

// What becomes a path or an argument of a system call must not be cut short by a NUL.
Result<void> check_texts(const RunRequest& request) {
  for (const auto& [field, text] : {std::pair<std::string_view, std::string_view>{"image", request.image},
                                    {"policy", request.policy},
                                    {"project", request.project},
                                    {"task_id", request.task_id},
                                    {"cwd", request.cwd},
                                    {"hostname", request.hostname},
                                    {"hint", request.hint},
                                    {"state_dir", request.state_dir},
                                    {"run_dir", request.run_dir},
                                    {"log", request.log},
                                    {"config", request.config}}) {
    TRY(check_text(field, text));
  }
  for (const std::string& argument : request.command) TRY(check_text("command", argument));
  for (const EnvironmentVariable& variable : request.environment) {
    TRY(check_text("environment", variable.name));
    TRY(check_text("environment", variable.value));
  }
  const auto check_bind = [](const BindRequest& bind) -> Result<void> {
    TRY(check_text("binds", bind.host));
    TRY(check_text("binds", bind.inside));
    if (!bind.host.starts_with('/')) return fail("binds: the host path '" + bind.host + "' is not absolute");
    const std::string clean = TRY(check_inside_path("binds", bind.inside));
    if (clean != bind.inside) return fail("binds: '" + bind.inside + "' ends with a '/'");
    return {};
  };
  for (const BindRequest& bind : request.binds) TRY(check_bind(bind));
  if (!request.here) return {};
  TRY(check_bind(*request.here));
  if (request.here->inside != kHerePlace)
    return fail("here: is shown at " + std::string(kHerePlace) + ", not at '" + request.here->inside + "'");
  return {};
}

Result<void> check_workspace_mode(const RunRequest& request) {
  const bool transaction = request.workspace_mode == WorkspaceMode::transaction;
  if (transaction && request.project.empty()) return fail("workspace_mode: a transaction needs a project");
  if (!request.transaction.empty()) {
    TRY(check_name("transaction", request.transaction));
    if (!transaction) return fail("transaction: not with another workspace_mode");
  }
  if (!request.show_changes) return {};
  if (request.project.empty() || request.workspace_mode != WorkspaceMode::ephemeral)
    return fail("show_changes: only of a project with workspace_mode ephemeral");
  return {};
}

Result<void> check_language(const RunRequest& request) {
  if (!request.language) return {};
  const LanguageRequest& language = *request.language;
  if (!request.command.empty()) return fail("command: the language has it");
  TRY(check_language_name("language", language.name));
  TRY(check_text("path", language.path));
  if (language.code && !language.path.empty()) return fail("path: there is code in its place");
  for (const std::string& argument : language.arguments) TRY(check_text("arguments", argument));
  std::size_t bytes = 0;
  if (language.code) {
    if (!language.code->name.empty()) TRY(check_source_name("code", language.code->name));
    bytes += language.code->content.size();
  }
  for (const SourceFile& file : language.files) {
    TRY(check_source_name("files", file.name));
    bytes += file.content.size();
  }
  if (bytes > kMostSourceBytes) return fail("files: more than 4M together");
  return {};
}

// What sbxrun checked as it read its flags, again: another client may not have.
Result<void> check_limits(const std::string& what, const LimitSet& limits) {
  for (const LimitField& field : kLimits) {
    const auto value = limits.*field.member;
    if (value) TRY(check_limit(field, what + ": " + std::string(field.name), *value));
  }
  return {};
}

}  // namespace

RunRequest compile_request(const RunRequest& request) {
  RunRequest step = request;
  step.tty = false;
  step.streams = {StreamMode::null, StreamMode::capture, StreamMode::capture};
  step.limits = request.language->compile_limits;
  return step;
}

bool captures_output(const RunRequest& request) {
  return std::ranges::find(request.streams, StreamMode::capture) != request.streams.end() ||
         spills_output(request);
}

bool spills_output(const RunRequest& request) {
  return std::ranges::find(request.streams, StreamMode::spill) != request.streams.end();
}

std::string stage_of(const RunRequest& request) {
  const auto action = request.language ? request.language->action : LanguageAction::run;
  return std::string(kLanguageActions.at(static_cast<std::size_t>(action)));
}

bool keeps_workspace(const RunRequest& request) {
  return !request.project.empty() && request.workspace_mode == WorkspaceMode::persistent;
}

bool branches_workspace(const RunRequest& request) {
  return !request.project.empty() &&
         (request.workspace_mode == WorkspaceMode::transaction || request.show_changes);
}

Result<void> check_source_name(std::string_view what, std::string_view name) {
  constexpr std::size_t kMostParts = 16;
  const auto refuse = [&](const char* why) {
    return fail(std::string(what) + ": the file name '" + printable(name.substr(0, 300)) + "' " + why);
  };
  if (name.empty() || name.size() > 255) return refuse("has not 1 to 255 bytes");
  if (name.front() == '-') return refuse("looks like an option");
  if (printable(name) != name) return refuse("holds control characters or is not UTF-8");
  const std::vector<std::string_view> parts = split(name, '/');
  if (parts.size() > kMostParts) return refuse("has more than 16 parts");
  for (const std::string_view part : parts) {
    if (part.empty() || part == "." || part == "..")
      return refuse("is not relative, or has a part that is empty, '.' or '..'");
  }
  return {};
}

Result<void> check_language_name(std::string_view what, std::string_view name) {
  constexpr std::size_t kMostNameBytes = 32;
  const auto is_alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const auto is_allowed = [&](char c) {
    return is_alphanumeric(c) || std::string_view("+#._-").find(c) != std::string_view::npos;
  };
  if (!name.empty() && name.size() <= kMostNameBytes && is_alphanumeric(name.front()) &&
      std::ranges::all_of(name, is_allowed)) {
    return {};
  }
  return fail(std::string(what) + ": '" + printable(name.substr(0, 64)) +
              "' is no name of a language: 1 to 32 characters of a-z 0-9 + # . _ -, the first of them a "
              "letter or a digit");
}

std::string encode_run_request(const RunRequest& request) {
  wire::Writer out;
  out.put(kRequestVersion);
  out.put(request.action);
  out.put(request.command);
  out.put(static_cast<std::uint8_t>(request.language.has_value()));
  if (request.language) put(out, *request.language);
  out.put(static_cast<std::uint32_t>(request.environment.size()));
  for (const EnvironmentVariable& variable : request.environment) {
    out.put(variable.name);
    out.put(variable.value);
  }
  out.put(request.image);
  out.put(request.policy);
  out.put(request.project);
  out.put(request.task_id);
  out.put(request.run_id);
  out.put(request.sandbox_name);
  out.put(request.workspace_mode);
  out.put(request.session);
  out.put(request.cwd);
  out.put(request.hostname);
  put(out, request.limits);
  out.put(static_cast<std::uint32_t>(request.binds.size()));
  for (const BindRequest& bind : request.binds) put(out, bind);
  out.put(static_cast<std::uint8_t>(request.here.has_value()));
  if (request.here) put(out, *request.here);
  out.put(request.hint);
  out.put(static_cast<std::uint8_t>(request.build));
  out.put(static_cast<std::uint8_t>(request.tty));
  out.put(request.tty_rows);
  out.put(request.tty_columns);
  for (const StreamMode mode : request.streams) out.put(mode);
  out.put(request.state_dir);
  out.put(request.run_dir);
  out.put(request.log);
  out.put(request.config);
  out.put(request.transaction);
  out.put(static_cast<std::uint8_t>(request.show_changes));
  return std::move(out).take();
}

Result<RunRequest> decode_run_request(std::string_view bytes) {
  wire::Reader in(bytes);
  RunRequest request;
  if (in.get<std::uint32_t>() != kRequestVersion) {
    return fail("request: another protocol version; install sbxrun and sbx-direct from one build");
  }
  request.action = in.get_enum(RequestAction::keep);
  request.command = in.get_strings();
  if (in.get_bool()) request.language = get_language(in);
  request.environment.resize(in.get_count());
  for (EnvironmentVariable& variable : request.environment) {
    variable.name = in.get_string();
    variable.value = in.get_string();
  }
  request.image = in.get_string();
  request.policy = in.get_string();
  request.project = in.get_string();
  request.task_id = in.get_string();
  request.run_id = in.get_string();
  request.sandbox_name = in.get_string();
  request.workspace_mode = in.get_enum(WorkspaceMode::transaction);
  request.session = in.get_string();
  request.cwd = in.get_string();
  request.hostname = in.get_string();
  request.limits = get_limits(in);
  request.binds.resize(in.get_count());
  for (BindRequest& bind : request.binds) bind = get_bind(in);
  if (in.get_bool()) request.here = get_bind(in);
  request.hint = in.get_string();
  request.build = in.get_bool();
  request.tty = in.get_bool();
  request.tty_rows = in.get<std::uint16_t>();
  request.tty_columns = in.get<std::uint16_t>();
  for (StreamMode& mode : request.streams) mode = in.get_enum(StreamMode::spill);
  request.state_dir = in.get_string();
  request.run_dir = in.get_string();
  request.log = in.get_string();
  request.config = in.get_string();
  request.transaction = in.get_string();
  request.show_changes = in.get_bool();
  TRY(in.finish("request"));
  TRY(check_texts(request));
  if (!request.session.empty()) TRY(check_name("session", request.session));
  if (!request.sandbox_name.empty()) {
    TRY(check_hostname("sandbox_name", request.sandbox_name));
    if (!request.sandbox_name.starts_with("sbx-")) return fail("sandbox_name: begins with 'sbx-'");
  }
  if (!request.run_id.empty()) TRY(check_run_id("run_id", request.run_id));
  TRY(check_workspace_mode(request));
  TRY(check_language(request));
  TRY(check_limits("limits", request.limits));
  if (request.language) TRY(check_limits("compile_limits", request.language->compile_limits));
  return request;
}

}  // namespace sbx
