// sbxd: the supervisor that stays. Exit status: 0 stopped, 1 failed, 2 wrong usage or configuration.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iterator>

#include "base/printable.h"
#include "resource/image_folders.h"
#include "run/check_settings.h"
#include "run/load_config.h"
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

// Who wrote the flag knows in which directory, a variable can come from anywhere. It is absolute afterwards:
// at SIGHUP it is read again.
std::string place(const std::string& flag, const char* variable) {
  return flag.empty() ? from_environment(variable)
                      : std::filesystem::absolute(flag).lexically_normal().string();
}

struct Line {
  RunRequest places;
  std::string socket = from_environment("SBX_SOCKET");
  bool check = false;
};

void add_options(CLI::App& app, Line& line) {
  const auto not_empty = [](const std::string& path) { return path.empty() ? "is empty" : ""; };
  app.add_option("--config", line.places.config,
                 "The configuration file (SBX_CONFIG; default: " + std::string(kDefaultConfig) + ")")
      ->check(not_empty);
  app.add_option("--state-dir", line.places.state_dir, "Where images and projects are kept (SBX_STATE_DIR)")
      ->check(not_empty);
  app.add_option("--run-dir", line.places.run_dir, "What is there only while it runs (SBX_RUN_DIR)")
      ->check(not_empty);
  app.add_option("--log", line.places.log, "The monitor log (SBX_LOG)")->check(not_empty);
  app.add_option("--socket", line.socket, "Where clients connect (SBX_SOCKET; default: RUN/sbxd.sock)");
  app.add_flag("--check-config", line.check,
               "Read the configuration, say all that is wrong with it, and end");
  app.set_version_flag("--version", "sbxd " SBX_VERSION);
}

void tell(const std::vector<Finding>& findings, const std::string& file) {
  for (const Finding& finding : findings) {
    const bool warns = finding.kind == Finding::Kind::warning;
    (void)report((warns ? "warning: " : "") + finding.told(file), 0);
  }
}

std::vector<Finding> look_at(const Settings& settings) {
  return check_settings(settings, built_images(std::getenv("SBX_CACHE_DIR")));
}

int check_configuration(const Settings& settings) {
  std::vector<Finding> findings = look_at(settings);
  std::ranges::move(read_access(settings).findings, std::back_inserter(findings));
  tell(findings, settings.file);
  if (has_error(findings)) return 2;
  if (!findings.empty()) return 0;
  const std::string said =
      settings.file.empty() ? "there is no '" + std::string(kDefaultConfig) + "', and the defaults are fine"
                            : "nothing is wrong with '" + settings.file + "'";
  (void)printf("sbxd: %s\n", printable(said).c_str());
  return 0;
}

int start(const Line& line, Settings settings) {
  if (geteuid() != 0) return report("only root can start sandboxes: start it as root", 1);
  std::vector<Finding> findings = look_at(settings);
  for (Finding& finding : findings) finding.kind = Finding::Kind::warning;  // it starts all the same
  tell(findings, settings.file);
  AccessReading reading = read_access(settings);
  tell(reading.findings, settings.file);
  if (!reading.access) return 2;
  const std::string socket = line.socket.empty() ? settings.run_dir + "/sbxd.sock" : line.socket;
  Daemon daemon({line.places, socket, std::move(settings), *std::move(reading.access)});
  if (const auto done = daemon.run(); !done) return report(done.error().text, 1);
  return 0;
}

int run(int argc, char** argv) {
  CLI::App app("Keeps sandboxes, and answers over one API.", "sbxd");
  Line line;
  add_options(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return report(error.what(), 2);
  }
  RunRequest& places = line.places;
  places.config = place(places.config, "SBX_CONFIG");
  places.state_dir = place(places.state_dir, "SBX_STATE_DIR");
  places.run_dir = place(places.run_dir, "SBX_RUN_DIR");
  places.log = place(places.log, "SBX_LOG");
  Result<Settings> settings = make_settings(places);
  if (!settings) return report(settings.error().text, 2);
  return line.check ? check_configuration(*settings) : start(line, std::move(*settings));
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
