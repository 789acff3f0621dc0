// sbxctl: what an operator does on the host of the sandboxes. Exit status: 0 done, 1 failed, 2 wrong usage.
#include <cstdio>
#include <exception>
#include <filesystem>

#include "commands.h"
#include "run/load_config.h"

namespace sbx {

int report_failure(const std::string& text) {
  (void)fprintf(stderr, "sbxctl: %s\n", text.c_str());
  return kExitFailed;
}

namespace {

int run(int argc, char** argv) {
  CLI::App app("Looks after the images and the host of sbx.", "sbxctl");
  Settings settings;
  find_own_parts(settings);
  Action action;
  std::string state_dir;
  std::string config;
  app.add_option("--state-dir", state_dir,
                 "Where images and projects are kept (default: " + settings.state_dir + ")")
      ->envname("SBX_STATE_DIR")
      ->check([](const std::string& path) { return path.empty() ? "is empty" : ""; });
  app.add_option("--config", config, "The configuration file (default: /etc/sbx/config.yaml)")
      ->envname("SBX_CONFIG");
  app.set_version_flag("--version", "sbxctl " SBX_VERSION);
  app.require_subcommand(1);
  add_doctor_command(app, settings, action);
  add_images_command(app, settings, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;  // --help comes this way too
  }
  if (const Result<void> loaded = load_config(config, settings); !loaded) {
    (void)report_failure(loaded.error().text);
    // Root's own file: others go on with what is usual.
    if (!config.empty() || loaded.error().error_number != EACCES) return kExitUsage;
  }
  if (!state_dir.empty())
    settings.state_dir = std::filesystem::absolute(state_dir).lexically_normal().string();
  return action();
}

}  // namespace
}  // namespace sbx

int main(int argc, char** argv) {
  try {
    return sbx::run(argc, argv);
  } catch (const std::exception& error) {
    return sbx::report_failure(error.what());
  }
}
