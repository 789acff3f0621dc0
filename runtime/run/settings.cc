#include "run/settings.h"

#include <algorithm>

#include "os/own_places.h"
#include "run/load_config.h"

namespace sbx {
namespace {

// sbxrun makes what its flags give absolute, and load_config refuses what is not: a relative path here is the
// variable's.
Result<void> override_with(std::string_view variable, const std::string& value, std::string& setting) {
  TRY(check_absolute(variable, value));
  if (!value.empty()) setting = value;
  return {};
}

}  // namespace

Result<void> check_absolute(std::string_view what, const std::string& path) {
  if (path.empty() || path.starts_with('/')) return {};
  return fail(std::string(what) + ": '" + path + "' is not an absolute path");
}

Result<void> find_own_parts(Settings& settings) {
  os::OwnPlaces own = os::own_places(TRY(os::own_directory()));
  settings.helpers = std::move(own.helpers);
  settings.programs = std::move(own.programs);
  settings.rootfs = std::move(own.rootfs);
  settings.policy_dirs = {"/etc/sbx/policies", "/usr/share/sbx/policies"};
  if (std::ranges::find(settings.policy_dirs, own.policies) == settings.policy_dirs.end())
    settings.policy_dirs.push_back(std::move(own.policies));
  return {};
}

Result<Settings> make_settings(const RunRequest& request) {
  Settings settings;
  TRY(find_own_parts(settings));
  TRY(check_absolute("SBX_CONFIG", request.config));
  TRY(load_config(request.config, settings));
  TRY(override_with("SBX_STATE_DIR", request.state_dir, settings.state_dir));
  TRY(override_with("SBX_RUN_DIR", request.run_dir, settings.run_dir));
  TRY(override_with("SBX_LOG", request.log, settings.log.path));
  // Overlayfs reads these characters in a path as its own.
  if (settings.run_dir.find_first_of(":,\\") != std::string::npos) {
    return fail("run directory '" + settings.run_dir +
                "': a ':', ',' or '\\' in its name, which overlayfs cannot take; give another (--run-dir, "
                "SBX_RUN_DIR, "
                "or run_dir in the configuration)");
  }
  return settings;
}

}  // namespace sbx
