#include "plan/plan_environment.h"

#include <map>
#include <string_view>

#include "base/names.h"
#include "request/check_environment.h"

namespace sbx {
namespace {

constexpr std::string_view kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// In the order in which the names came first; each with the value that came last.
class Environment {
 public:
  void set(std::string_view name, std::string_view value) {
    std::string entry = std::string(name) + "=" + std::string(value);
    const auto [place, is_new] = places_.try_emplace(std::string(name), entries_.size());
    if (is_new) {
      entries_.push_back(std::move(entry));
    } else {
      entries_[place->second] = std::move(entry);
    }
  }

  // From "NAME=value"; what is not written so is left out.
  void set_all(const std::vector<std::string>& entries) {
    for (const std::string& entry : entries) {
      const std::size_t equals = entry.find('=');
      if (equals != std::string::npos && equals > 0)
        set(std::string_view(entry).substr(0, equals), std::string_view(entry).substr(equals + 1));
    }
  }

  [[nodiscard]] std::string_view value(const std::string& name) const {
    return std::string_view(entries_.at(places_.at(name))).substr(name.size() + 1);
  }
  [[nodiscard]] const std::vector<std::string>& entries() const { return entries_; }

 private:
  std::vector<std::string> entries_;
  std::map<std::string, std::size_t> places_;
};

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

  Environment environment;
  environment.set("PATH", kPath);
  environment.set("HOME", "/home/sandbox");
  environment.set("USER", "sandbox");
  environment.set("LOGNAME", "sandbox");
  environment.set("LANG", "C.UTF-8");
  if (request.tty) environment.set("TERM", "xterm-256color");
  environment.set_all(facts.image_environment);
  if (facts.language) environment.set_all(facts.language->environment);
  TRY(check_environment("--env", request.environment));
  for (const auto& [name, value] : request.environment) environment.set(name, value);
  for (const std::string& argument : exec.command) {
    if (argument.find('\0') != std::string::npos) return fail("the command holds a NUL byte");
  }
  exec.environment = environment.entries();
  exec.candidates = candidates_of(exec.command.front(), environment.value("PATH"));
  return {};
}

}  // namespace sbx
