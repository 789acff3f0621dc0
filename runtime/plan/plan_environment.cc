#include "plan/plan_environment.h"

#include <algorithm>

#include "base/names.h"

namespace sbx {
namespace {

constexpr std::string_view kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

void set_variable(std::vector<std::string>& environment, std::string_view name, std::string_view value) {
  const std::string prefix = std::string(name) + "=";
  const auto found =
      std::ranges::find_if(environment, [&](const std::string& v) { return v.starts_with(prefix); });
  if (found != environment.end()) {
    *found = prefix + std::string(value);
  } else {
    environment.push_back(prefix + std::string(value));
  }
}

// From "NAME=value"; what is not written so is left out.
void set_variables(std::vector<std::string>& environment, const std::vector<std::string>& entries) {
  for (const std::string& entry : entries) {
    const std::size_t equals = entry.find('=');
    if (equals != std::string::npos && equals > 0)
      set_variable(environment, entry.substr(0, equals), entry.substr(equals + 1));
  }
}

// There always is one: ours, if no other.
std::string_view path_of(const std::vector<std::string>& environment) {
  constexpr std::string_view kName = "PATH=";
  const auto found =
      std::ranges::find_if(environment, [&](const std::string& entry) { return entry.starts_with(kName); });
  return std::string_view(*found).substr(kName.size());
}

Result<void> check_variable(const EnvironmentVariable& entry) {
  if (entry.name.empty() || entry.name.find('=') != std::string::npos) {
    return fail("--env: '" + entry.name + "' is not a variable name");
  }
  if (entry.name.find('\0') != std::string::npos || entry.value.find('\0') != std::string::npos) {
    return fail("--env: '" + entry.name + "' holds a NUL byte");
  }
  return {};
}

std::vector<std::string> candidates_of(const std::string& command, std::string_view path) {
  // An empty name is found nowhere (execvp(3)): not the directories of PATH themselves.
  if (command.empty() || command.find('/') != std::string::npos) return {command};
  std::vector<std::string> candidates;
  while (true) {
    const std::size_t colon = path.find(':');
    const std::string_view directory = path.substr(0, colon);
    // An empty entry means the current directory (execvp(3)).
    candidates.push_back((directory.empty() ? "." : std::string(directory)) + "/" + command);
    if (colon == std::string_view::npos) return candidates;
    path.remove_prefix(colon + 1);
  }
}

std::string start_directory(const RunRequest& request, const PlanFacts& facts) {
  if (!request.cwd.empty()) return request.cwd;
  if (request.here) return "/workspace/project_files";
  return facts.workspace_flat ? "/workspace" : "/workspace/agent_workspace";
}

}  // namespace

Result<void> plan_exec(const RunRequest& request, const PlanFacts& facts, ExecPlan& exec) {
  exec.command = facts.language ? facts.language->command : request.command;
  exec.tty = request.tty;
  exec.tty_rows = request.tty_rows;
  exec.tty_columns = request.tty_columns;
  exec.cwd = TRY(check_inside_path("--cwd", start_directory(request, facts)));

  set_variable(exec.environment, "PATH", kPath);
  set_variable(exec.environment, "HOME", "/home/sandbox");
  set_variable(exec.environment, "USER", "sandbox");
  set_variable(exec.environment, "LOGNAME", "sandbox");
  set_variable(exec.environment, "LANG", "C.UTF-8");
  if (request.tty) set_variable(exec.environment, "TERM", "xterm-256color");
  set_variables(exec.environment, facts.image_environment);
  if (facts.language) set_variables(exec.environment, facts.language->environment);
  for (const EnvironmentVariable& entry : request.environment) {
    TRY(check_variable(entry));
    set_variable(exec.environment, entry.name, entry.value);
  }
  for (const std::string& argument : exec.command) {
    if (argument.find('\0') != std::string::npos) return fail("the command holds a NUL byte");
  }
  exec.candidates = candidates_of(exec.command.front(), path_of(exec.environment));
  return {};
}

}  // namespace sbx
