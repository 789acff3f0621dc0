// sbxctl: what an operator does on the host of the sandboxes. Exit status: 0 done, 1 failed, 2 wrong usage.
#include <cstdio>
#include <exception>
#include <filesystem>

#include "commands.h"

namespace sbx {

int report_failure(const std::string& text) {
  (void)fprintf(stderr, "sbxctl: %s\n", text.c_str());
  return kExitFailed;
}

namespace {

int run(int argc, char** argv) {
  CLI::App app("Looks after the images and the host of sbx.", "sbxctl");
  Settings settings;
  Action action;
  app.add_option("--state-dir", settings.state_dir, "Where images and projects are kept")
      ->envname("SBX_STATE_DIR")
      ->check([](const std::string& path) { return path.empty() ? "is empty" : ""; })
      ->capture_default_str();
  app.set_version_flag("--version", "sbxctl " SBX_VERSION);
  app.require_subcommand(1);
  add_images_command(app, settings, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;  // --help comes this way too
  }
  settings.state_dir = std::filesystem::absolute(settings.state_dir).lexically_normal().string();
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
