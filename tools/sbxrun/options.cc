#include "options.h"

#include <fcntl.h>
#include <getopt.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/names.h"
#include "base/units.h"
#include "language_options.h"
#include "option_specs.h"
#include "os/file.h"
#include "request/check_binds.h"

namespace sbx::sbxrun {
namespace {

const std::span<const OptionSpec> kOptions = option_specs();
constexpr int kFirstLongOption = 1000;

Result<std::string> absolute(const std::string& what, const std::string& path) {
  if (path.starts_with('/')) return path;
  if (path.starts_with("./")) return absolute(what, path.size() == 2 ? "." : path.substr(2));
  std::array<char, 4096> cwd{};
  if (getcwd(cwd.data(), cwd.size()) == nullptr) {
    Error error = system_error(what + ": the current directory cannot be found", "", errno);
    error.text += "; change to one that is there";
    return fail(std::move(error));
  }
  const std::string base = cwd.data();
  return path == "." ? base : (base == "/" ? "" : base) + "/" + path;
}

Result<BindMode> parse_mode(const std::string& what, const std::string& word) {
  if (word == "ro") return BindMode::read_only;
  if (word == "rw") return BindMode::read_write;
  if (word == "cow") return BindMode::copy_on_write;
  return fail(what + ": the mode '" + word + "' is none of ro, rw, cow");
}

// HOST:INSIDE[:MODE]
Result<BindRequest> parse_bind(BindFlag flag, const std::string& text, BindMode mode) {
  const std::string what = bind_flag_name(flag);
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos || colon == 0)
    return fail(what + ": '" + text + "' is not HOST:INSIDE[:MODE]");
  BindRequest bind;
  bind.flag = flag;
  bind.mode = mode;
  bind.host = TRY(absolute(what, text.substr(0, colon)));
  bind.inside = text.substr(colon + 1);
  if (const std::size_t second = bind.inside.find(':'); second != std::string::npos) {
    const std::string word = bind.inside.substr(second + 1);
    bind.mode = TRY(parse_mode(what + ": '" + text + "'", word));
    bind.inside.resize(second);
  }
  bind.inside = TRY(check_inside_path(what, bind.inside));
  return bind;
}

Result<void> add_variable(const std::string& what, const std::string& text, RunRequest& request) {
  const std::size_t equals = text.find('=');
  const std::string name = text.substr(0, equals);
  if (name.empty()) return fail(what + ": '" + text + "' is not NAME=VALUE");
  if (equals != std::string::npos) {
    request.environment.push_back({name, text.substr(equals + 1)});
  } else if (const char* value = std::getenv(name.c_str()); value != nullptr) {
    request.environment.push_back({name, value});
  }
  return {};
}

Result<void> add_env_file(const std::string& path, RunRequest& request) {
  const std::string text = TRY_DOING("--env-file", os::read_file(AT_FDCWD, path, 1U << 20U));
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    ++number;
    if (line.empty() || line.starts_with('#')) continue;
    TRY(add_variable("--env-file " + path + ":" + std::to_string(number), line, request));
  }
  return {};
}

Result<void> set_ulimit(const std::string& text, RunRequest& request) {
  const std::size_t equals = text.find('=');
  const std::string name = text.substr(0, equals);
  if (equals == std::string::npos || (name != "nofile" && name != "fsize")) {
    return fail("--ulimit: '" + text + "': only nofile=N and fsize=SIZE can be set");
  }
  const LimitField& field = *find_limit(name);
  // Docker's SOFT:HARD: one limit here, the hard one.
  std::string value = text.substr(equals + 1);
  if (const std::size_t colon = value.find(':'); colon != std::string::npos) {
    (void)TRY(parse_limit(field, "--ulimit " + name, value.substr(0, colon)));
    value = value.substr(colon + 1);
  }
  request.limits.*field.member = TRY(parse_limit(field, "--ulimit " + name, value));
  return {};
}

class Parser {
 public:
  Result<Options> parse(int argc, char** argv) {
    read_environment();
    std::vector<option> table;
    std::string shorts = "+:";  // stop at the command; tell a missing argument apart
    for (std::size_t i = 0; i < kOptions.size(); ++i) {
      const OptionSpec& spec = kOptions[i];
      const int has = spec.argument == nullptr  ? no_argument
                      : spec.argument[0] == '[' ? optional_argument
                                                : required_argument;
      table.push_back({spec.name, has, nullptr, kFirstLongOption + static_cast<int>(i)});
      if (spec.short_name != 0) {
        shorts += spec.short_name;
        if (has == required_argument) shorts += ':';
      }
    }
    table.push_back({nullptr, 0, nullptr, 0});
    opterr = 0;
    bool after_dashes = false;
    while (true) {
      const int before = optind;
      const int code = getopt_long(argc, argv, shorts.c_str(), table.data(), nullptr);
      if (code == -1) {
        after_dashes = optind > before;  // over the "--"
        break;
      }
      if (code == ':') return fail("option '" + std::string(argv[before]) + "' needs a value");
      const OptionSpec* spec = find(code);
      if (code == '?' || spec == nullptr) {
        return fail("unknown option '" + std::string(argv[before]) + "' (see sbxrun --help)");
      }
      TRY(check_spelling(*spec, argv[before]));
      TRY(apply(*spec, optarg == nullptr ? "" : optarg, optarg != nullptr));
    }
    std::vector<std::string> rest(argv + optind, argv + argc);
    if (options_.request.language) {
      TRY(take_language_words(std::move(rest), after_dashes, options_));
      if (!image_given_) options_.request.image.clear();
    } else {
      options_.request.command = std::move(rest);
    }
    TRY(check());
    return std::move(options_);
  }

 private:
  // getopt_long(3) takes shortened names, which would change their meaning when an option is added.
  static Result<void> check_spelling(const OptionSpec& spec, std::string_view argument) {
    if (!argument.starts_with("--")) return {};
    if (argument.substr(2, argument.find('=') - 2) == spec.name) return {};
    return fail("unknown option '" + std::string(argument) + "'; did you mean --" + spec.name + "?");
  }

  static const OptionSpec* find(int code) {
    const auto matches = [code](const OptionSpec& spec) {
      return code >= kFirstLongOption ? &spec == &kOptions[static_cast<std::size_t>(code - kFirstLongOption)]
                                      : spec.short_name != 0 && spec.short_name == code;
    };
    const auto found = std::ranges::find_if(kOptions, matches);
    return found == kOptions.end() ? nullptr : &*found;
  }

  void read_environment() {
    const auto read = [](const char* name, std::string& target) {
      if (const char* value = std::getenv(name); value != nullptr && *value != '\0') target = value;
    };
    read("SBX_STATE_DIR", options_.request.state_dir);
    read("SBX_RUN_DIR", options_.request.run_dir);
    read("SBX_LOG", options_.request.log);
    read("SBX_CONFIG", options_.request.config);
    read("SBX_SOCKET", options_.socket);
  }

  Result<void> apply(const OptionSpec& given, const std::string& value, bool has_value) {
    const std::string name = given.alias_of != nullptr ? given.alias_of : given.name;
    const std::string what = "--" + std::string(given.name);
    RunRequest& request = options_.request;
    if (given.argument != nullptr && given.argument[0] != '[' && value.empty())
      return fail(what + ": the value is empty");
    if (const LimitField* field = find_limit(name); field != nullptr) {
      request.limits.*field->member = TRY(parse_limit(*field, what, value));
      return {};
    }
    if (name == "image") {
      image_given_ = true;
      return set_name(what, value, request.image);
    }
    if (name == "project") return set_name(what, value, request.project);
    if (name == "task") return set_name(what, value, request.task_id);
    if (name == "policy") return set_policy(value);
    if (is_language_option(name)) return apply_language_option(name, what, value, options_);
    if (name == "env") return add_variable(what, value, request);
    if (name == "env-file") return add_env_file(value, request);
    if (name == "ulimit") return set_ulimit(value, request);
    if (name == "cwd") {
      request.cwd = TRY(check_inside_path(what, value));
    } else if (name == "hostname") {
      TRY(check_hostname(what, value));
      request.hostname = value;
    } else if (name == "here") {
      return set_here(has_value ? value : "ro");
    } else if (name == "bind") {
      request.binds.push_back(TRY(parse_bind(BindFlag::bind, value, BindMode::read_only)));
    } else if (name == "volume") {
      request.binds.push_back(TRY(parse_bind(BindFlag::volume, value, BindMode::read_write)));
    } else if (name == "workspace-mode") {
      return set_workspace_mode(what, value);
    } else if (name == "transaction") {
      return set_name(what, value, request.transaction);
    } else if (name == "socket") {
      options_.socket = TRY(absolute(what, value));
      options_.mode = Mode::socket;
      socket_given_ = true;
    } else if (name == "sandbox") {
      return set_sandbox(what, value);
    } else if (name == "result") {
      options_.result = value;
    } else {
      set_flag(name);
      return set_place(what, value);
    }
    return {};
  }

  void set_flag(const std::string& name) {
    RunRequest& request = options_.request;
    if (name == "tty") request.tty = true;
    if (name == "build") request.build = true;
    if (name == "show-changes") request.show_changes = true;
    if (name == "json") options_.json = true;
    if (name == "quiet") options_.quiet = true;
    if (name == "help") options_.help = true;
    if (name == "version") options_.version = true;
    if (name == "check") options_.check = true;
    if (name == "direct") {
      options_.mode = Mode::direct;
      direct_given_ = true;
    }
    if (name == "dry-run") request.action = RequestAction::plan;
    if (name == "explain") request.action = RequestAction::explain;
  }

  Result<void> set_place(const std::string& what, const std::string& value) {
    RunRequest& request = options_.request;
    options_.places_given = options_.places_given || what == "--state-dir" || what == "--run-dir" ||
                            what == "--log" || what == "--config";
    if (what == "--state-dir") request.state_dir = TRY(absolute(what, value));
    if (what == "--run-dir") request.run_dir = TRY(absolute(what, value));
    if (what == "--log") request.log = TRY(absolute(what, value));
    if (what == "--config") request.config = TRY(absolute(what, value));
    return {};
  }

  Result<void> set_workspace_mode(const std::string& what, const std::string& value) {
    const auto* const found = std::ranges::find(kWorkspaceModeNames, value);
    if (found == kWorkspaceModeNames.end())
      return fail(what + ": '" + value + "' is none of persistent, ephemeral, transaction");
    options_.request.workspace_mode = static_cast<WorkspaceMode>(found - kWorkspaceModeNames.begin());
    mode_given_ = true;
    return {};
  }

  // --transaction is enough to go on with one.
  Result<void> check_workspace() {
    RunRequest& request = options_.request;
    const bool transaction = !request.transaction.empty();
    if (transaction && !mode_given_) request.workspace_mode = WorkspaceMode::transaction;
    const WorkspaceMode mode = request.workspace_mode;
    if (transaction && mode != WorkspaceMode::transaction)
      return fail("--transaction: not with another --workspace-mode");
    if (request.show_changes && mode != WorkspaceMode::ephemeral)
      return fail("--show-changes is for --workspace-mode ephemeral; a transaction shows its changes");
    if (mode == WorkspaceMode::persistent || !request.project.empty()) return {};
    if (mode == WorkspaceMode::transaction) return fail("a transaction needs a --project");
    return fail("--workspace-mode ephemeral needs a --project; without one every workspace is thrown away");
  }

  static Result<void> set_name(const std::string& what, const std::string& value, std::string& target) {
    TRY(check_name(what, value));
    target = value;
    return {};
  }

  // "task:" and the name of a task stand for its sandbox.
  Result<void> set_sandbox(const std::string& what, const std::string& value) {
    constexpr std::string_view kTask = "task:";
    TRY(check_name(what, value.starts_with(kTask) ? std::string_view(value).substr(kTask.size()) : value));
    options_.sandbox = value;
    return {};
  }

  Result<void> set_policy(const std::string& value) {
    if (!is_policy_file(value)) {
      return set_name("--policy", value, options_.request.policy);
    }
    options_.request.policy = TRY(absolute("--policy", value));
    return {};
  }

  Result<void> set_here(const std::string& mode) {
    BindRequest here;
    here.flag = BindFlag::here;
    here.mode = TRY(parse_mode("--here", mode));
    here.host = TRY(absolute("--here", "."));
    here.inside = kHerePlace;
    options_.request.here = std::move(here);
    return {};
  }

  // What belongs to the sandbox, and was said when it was made.
  Result<void> check_of_command() const {
    const RunRequest& request = options_.request;
    const RunRequest usual;
    const char* given = request.image != usual.image     ? "--image"
                        : request.policy != usual.policy ? "--policy"
                        : !request.project.empty()       ? "--project"
                        : !request.transaction.empty()   ? "--transaction"
                        : !request.hostname.empty()      ? "--hostname"
                        : request.build                  ? "--build"
                        : request.language               ? "--language"
                        : request.here                   ? "--here"
                        : !request.binds.empty()         ? "--bind"
                        : !request.task_id.empty()       ? "--task"
                        : request.action != usual.action ? "--dry-run and --explain"
                                                         : nullptr;
    if (given != nullptr) return fail(std::string(given) + ": not with --sandbox, which is there already");
    return {};
  }

  Result<void> check() {
    RunRequest& request = options_.request;
    if (options_.help || options_.version) return {};
    if (direct_given_ && socket_given_)
      return fail("--direct and --socket contradict each other; give one of them");
    if (!options_.sandbox.empty() && direct_given_)
      return fail("--sandbox: a sandbox that lives is sbxd's; not with --direct");
    if (!options_.sandbox.empty()) TRY(check_of_command());
    if (options_.check && request.command.empty() && !request.language)
      request.command = {"true"};  // the options alone are asked about
    if (request.command.empty() && !request.language) return fail("no command to run (see sbxrun --help)");
    if (request.tty && options_.json)
      return fail("--json captures the output; with --tty there is none to capture");
    TRY(check_workspace());
    TRY(check_binds(request.binds));
    set_hint();
    return {};
  }

  // The first thing that everybody trips over: the sandbox does not see the current directory.
  void set_hint() {
    RunRequest& request = options_.request;
    if (request.here || !request.binds.empty()) return;
    for (const std::string& argument : request.command) {
      if (argument.empty() || argument.starts_with('/') || argument.starts_with('-')) continue;
      if (access(argument.c_str(), F_OK) != 0) continue;
      request.hint =
          "'" + argument + "' is a file of the current directory, which the sandbox does not see: use --here";
      return;
    }
  }

  Options options_;
  bool direct_given_ = false;
  bool socket_given_ = false;
  bool image_given_ = false;
  bool mode_given_ = false;
};

}  // namespace

Result<Options> parse_options(int argc, char** argv) { return Parser().parse(argc, argv); }

}  // namespace sbx::sbxrun
