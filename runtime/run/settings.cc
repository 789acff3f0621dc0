#include "run/settings.h"

#include <algorithm>

#include "os/own_places.h"
#include "run/load_config.h"

namespace sbx {

void find_own_parts(Settings& settings) {
  os::OwnPlaces own = os::own_places(os::own_directory());
  settings.helpers = std::move(own.helpers);
  settings.policy_dirs = {"/etc/sbx/policies", "/usr/share/sbx/policies"};
  if (std::ranges::find(settings.policy_dirs, own.policies) == settings.policy_dirs.end())
    settings.policy_dirs.push_back(std::move(own.policies));
}

Result<Settings> make_settings(const RunRequest& request) {
  Settings settings;
  find_own_parts(settings);
  TRY(load_config(request.config, settings));
  const auto override_with = [](const std::string& value, std::string& setting) {
    if (!value.empty()) setting = value;
  };
  override_with(request.state_dir, settings.state_dir);
  override_with(request.run_dir, settings.run_dir);
  override_with(request.log, settings.log.path);
  for (const std::string* directory : {&settings.state_dir, &settings.run_dir, &settings.log.path}) {
    if (!directory->starts_with('/')) return fail("'" + *directory + "' is not an absolute path");
  }
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
