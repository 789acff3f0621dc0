// sbxctl: what an operator does on the host of the sandboxes. Exit status: 0 done, 1 failed, 2 wrong usage.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>

#include "../usage_error.h"
#include "base/printable.h"
#include "commands.h"
#include "run/load_config.h"

namespace sbx {

int report_failure(const std::string& text) {
  (void)fprintf(stderr, "sbxctl: %s\n", printable(text).c_str());
  return kExitFailed;
}

// Who wrote the flag knows in which directory, a variable can
// come from anywhere.
Result<std::string> place(const std::string& flag, const char* variable) {
  if (!flag.empty()) return std::filesystem::absolute(flag).lexically_normal().string();
  const char* value = std::getenv(variable);
  std::string path = value != nullptr ? value : "";
  TRY(check_absolute(variable, path));
  return path;
}

void record(const Settings& settings, AuditEvent event, const Error* error) {
  event.caller = Caller{getuid(), ""};
  event.failed = error != nullptr;
  if (error != nullptr) event.message = error->text;
  if (const auto recorded = record_event(settings.log, event); !recorded)
    (void)report_failure(recorded.error().text);
}

bool report_damaged(const StoredImages& stored) {
  for (const DamagedImage& image : stored.damaged) (void)report_failure(image.why);
  return !stored.damaged.empty();
}

namespace {

// A file that we open must not become the standard output or error that the caller left closed. Closed ones
// are read-only, so that writing to them is still an error.
void hold_standard_streams() {
  for (int fd = 0; fd < 3; ++fd) {
    // open(2) gives the lowest free number, which is this one.
    if (fcntl(fd, F_GETFD) < 0) (void)open("/dev/null", O_RDONLY);
  }
}

// A list that could not be written must not be taken for a short one.
int with_output_written(int status) {
  errno = 0;
  const bool written = fflush(stdout) == 0 && ferror(stdout) == 0;
  if (written) return status;
  // What failed in the middle has not left its number.
  const int failure = report_failure(errno != 0 ? system_error("write", "standard output", errno).text
                                                : "standard output could not be written");
  return status == kExitOk ? failure : status;
}

int run(int argc, char** argv) {
  CLI::App app("Looks after the images and the host of sbx.", "sbxctl");
  Settings settings;
  const Result<void> found = find_own_parts(settings);
  Action action;
  std::string state_dir;
  std::string config;
  std::string log;
  const auto not_empty = [](const std::string& path) { return path.empty() ? "is empty" : ""; };
  app.add_option("--state-dir", state_dir,
                 "Where images and projects are kept (SBX_STATE_DIR; default: " + settings.state_dir + ")")
      ->check(not_empty);
  app.add_option("--config", config, "The configuration file (SBX_CONFIG; default: /etc/sbx/config.yaml)")
      ->check(not_empty);
  app.add_option("--log", log,
                 "The monitor log (SBX_LOG; default: " + settings.log.path + "; /dev/null: none)")
      ->check(not_empty);
  app.set_version_flag("--version", "sbxctl " SBX_VERSION);
  app.require_subcommand(1);
  add_doctor_command(app, settings, action);
  add_images_command(app, settings, action);
  add_languages_command(app, settings, action);
  add_token_command(app, settings, action);
  add_project_commands(app, settings, action);
  add_transaction_commands(app, settings, action);
  add_files_commands(app, settings, action);
  add_alerts_command(app, settings, action);
  add_top_command(app, settings, action);
  add_history_commands(app, settings, action);
  add_audit_commands(app, settings, action);
  add_cleanup_command(app, settings, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help and --version come this way too
    (void)report_failure(usage_error(app, error));
    return kExitUsage;
  }
  if (!found) return report_failure(found.error().text);
  const Result<std::string> config_file = place(config, "SBX_CONFIG");
  const Result<std::string> state = place(state_dir, "SBX_STATE_DIR");
  const Result<std::string> log_file = place(log, "SBX_LOG");
  for (const Result<std::string>* path : {&config_file, &state, &log_file}) {
    if (*path) continue;
    (void)report_failure(path->error().text);
    return kExitUsage;
  }
  if (const Result<void> loaded = load_config(*config_file, settings); !loaded) {
    (void)report_failure(loaded.error().text);
    // Root's own file: others go on with what is usual.
    if (!config_file->empty() || loaded.error().error_number != EACCES) return kExitUsage;
  }
  if (!state->empty()) settings.state_dir = *state;
  if (!log_file->empty()) settings.log.path = *log_file;
  return action();
}

}  // namespace
}  // namespace sbx

int main(int argc, char** argv) {
  try {
    sbx::hold_standard_streams();
    return sbx::with_output_written(sbx::run(argc, argv));
  } catch (const std::exception& error) {
    return sbx::report_failure(error.what());
  }
}
