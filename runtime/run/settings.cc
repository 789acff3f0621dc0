#include "run/settings.h"

#include "run/load_config.h"

namespace sbx {

Result<Settings> make_settings(const RunRequest& request, const std::string& own_program) {
  Settings settings;
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
  settings.programs = own_program.substr(0, own_program.find_last_of('/'));
  // In a checkout the programs are in build/bin.
  settings.policy_dirs = {"/etc/sbx/policies", "/usr/share/sbx/policies",
                          settings.programs + "/../../policies"};
  return settings;
}

}  // namespace sbx
