// sbxd: the supervisor that stays. Exit status: 0 stopped, 1 failed, 2 wrong usage or configuration.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

#include "base/printable.h"
#include "run/settings.h"
#include "sbxd/daemon.h"

namespace sbx {
namespace {

int report(const std::string& text, int status) {
  (void)fprintf(stderr, "sbxd: %s\n", printable(text).c_str());
  return status;
}

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

int run(int argc, char** argv) {
  CLI::App app("Keeps sandboxes, and answers over one API.", "sbxd");
  RunRequest places;
  places.config = from_environment("SBX_CONFIG");
  places.state_dir = from_environment("SBX_STATE_DIR");
  places.run_dir = from_environment("SBX_RUN_DIR");
  places.log = from_environment("SBX_LOG");
  std::string socket = from_environment("SBX_SOCKET");
  bool check = false;
  app.add_option("--config", places.config,
                 "The configuration file (SBX_CONFIG; default: /etc/sbx/config.yaml)");
  app.add_option("--state-dir", places.state_dir, "Where images and projects are kept (SBX_STATE_DIR)");
  app.add_option("--run-dir", places.run_dir, "What is there only while it runs (SBX_RUN_DIR)");
  app.add_option("--log", places.log, "The monitor log (SBX_LOG)");
  app.add_option("--socket", socket, "Where clients connect (SBX_SOCKET; default: RUN/sbxd.sock)");
  app.add_flag("--check-config", check, "Read the configuration, say what is wrong with it, and end");
  app.set_version_flag("--version", "sbxd " SBX_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return report(error.what(), 2);
  }
  Result<Settings> settings = make_settings(places);
  if (!settings) return report(settings.error().text, 2);
  if (geteuid() != 0 && !check) return report("only root can start sandboxes: start it as root", 1);
  if (socket.empty()) socket = settings->run_dir + "/sbxd.sock";
  Result<Access> access = read_access(*settings);
  if (!access) return report(access.error().text, 2);
  for (const std::string& warning : access->warnings) (void)report(warning, 0);
  if (check) return 0;
  if (const auto done = Daemon({places, socket, std::move(*settings), std::move(*access)}).run(); !done)
    return report(done.error().text, 1);
  return 0;
}

}  // namespace
}  // namespace sbx

int main(int argc, char** argv) {
  (void)umask(077);
  try {
    return sbx::run(argc, argv);
  } catch (const std::exception& error) {
    return sbx::report(error.what(), 1);
  }
}
