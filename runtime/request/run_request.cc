#include "request/run_request.h"

#include <algorithm>

namespace sbx {
namespace {

constexpr std::uint32_t kRequestVersion = 2;

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
    return {};
  };
  for (const BindRequest& bind : request.binds) TRY(check_bind(bind));
  if (request.here) TRY(check_bind(*request.here));
  return {};
}

// What sbxrun checked as it read its flags, again: another client may not have.
Result<void> check_limits(const LimitSet& limits) {
  for (const LimitField& field : kLimits) {
    const auto value = limits.*field.member;
    if (value) TRY(check_limit(field, "limits: " + std::string(field.name), *value));
  }
  return {};
}

}  // namespace

bool captures_output(const RunRequest& request) {
  return std::ranges::find(request.streams, StreamMode::capture) != request.streams.end();
}

bool keeps_workspace(const RunRequest& request) {
  return !request.project.empty() && request.workspace_mode == WorkspaceMode::persistent;
}

std::string encode_run_request(const RunRequest& request) {
  wire::Writer out;
  out.put(kRequestVersion);
  out.put(request.action);
  out.put(request.command);
  out.put(static_cast<std::uint32_t>(request.environment.size()));
  for (const EnvironmentVariable& variable : request.environment) {
    out.put(variable.name);
    out.put(variable.value);
  }
  out.put(request.image);
  out.put(request.policy);
  out.put(request.project);
  out.put(request.task_id);
  out.put(request.workspace_mode);
  out.put(request.cwd);
  out.put(request.hostname);
  for (const LimitField& field : kLimits) out.put(request.limits.*field.member);
  out.put(static_cast<std::uint32_t>(request.binds.size()));
  for (const BindRequest& bind : request.binds) put(out, bind);
  out.put(static_cast<std::uint8_t>(request.here.has_value()));
  if (request.here) put(out, *request.here);
  out.put(request.hint);
  out.put(static_cast<std::uint8_t>(request.tty));
  out.put(request.tty_rows);
  out.put(request.tty_columns);
  for (const StreamMode mode : request.streams) out.put(mode);
  out.put(request.state_dir);
  out.put(request.run_dir);
  out.put(request.log);
  out.put(request.config);
  return std::move(out).take();
}

Result<RunRequest> decode_run_request(std::string_view bytes) {
  wire::Reader in(bytes);
  RunRequest request;
  if (in.get<std::uint32_t>() != kRequestVersion) {
    return fail("request: another protocol version; install sbxrun and sbx-direct from one build");
  }
  request.action = in.get_enum(RequestAction::explain);
  request.command = in.get_strings();
  request.environment.resize(in.get_count());
  for (EnvironmentVariable& variable : request.environment) {
    variable.name = in.get_string();
    variable.value = in.get_string();
  }
  request.image = in.get_string();
  request.policy = in.get_string();
  request.project = in.get_string();
  request.task_id = in.get_string();
  request.workspace_mode = in.get_enum(WorkspaceMode::ephemeral);
  request.cwd = in.get_string();
  request.hostname = in.get_string();
  for (const LimitField& field : kLimits) request.limits.*field.member = in.get_optional();
  request.binds.resize(in.get_count());
  for (BindRequest& bind : request.binds) bind = get_bind(in);
  if (in.get_bool()) request.here = get_bind(in);
  request.hint = in.get_string();
  request.tty = in.get_bool();
  request.tty_rows = in.get<std::uint16_t>();
  request.tty_columns = in.get<std::uint16_t>();
  for (StreamMode& mode : request.streams) mode = in.get_enum(StreamMode::null);
  request.state_dir = in.get_string();
  request.run_dir = in.get_string();
  request.log = in.get_string();
  request.config = in.get_string();
  TRY(in.finish("request"));
  TRY(check_texts(request));
  TRY(check_limits(request.limits));
  return request;
}

}  // namespace sbx
