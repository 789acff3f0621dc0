// The commands of sbxctl: each is a file that adds its subcommands to the parser. One that was named on the
// command line puts what it does into `action`, which main calls when the whole line is understood.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "base/result.h"
#include "monitor/audit_event.h"
#include "run/settings.h"
#include "run/stored_image.h"

namespace sbx {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;

using Action = std::function<int()>;  // returns the exit status

// `settings` and `action` outlive the parser.
void add_alerts_command(CLI::App& app, const Settings& settings, Action& action);
void add_audit_commands(CLI::App& app, const Settings& settings, Action& action);
void add_cleanup_command(CLI::App& app, const Settings& settings, Action& action);
void add_doctor_command(CLI::App& app, const Settings& settings, Action& action);
void add_history_commands(CLI::App& app, const Settings& settings, Action& action);  // history, show, stats
void add_images_command(CLI::App& app, const Settings& settings, Action& action);
void add_image_making_commands(CLI::App& images, const Settings& settings, Action& action);
void add_languages_command(CLI::App& app, const Settings& settings, Action& action);
void add_files_commands(CLI::App& app, const Settings& settings, Action& action);
void add_token_command(CLI::App& app, const Settings& settings, Action& action);
void add_top_command(CLI::App& app, const Settings& settings, Action& action);
void add_project_commands(CLI::App& app, const Settings& settings, Action& action);
void add_transaction_commands(CLI::App& app, const Settings& settings, Action& action);  // tx, snapshots

// A place from the flag, else from the variable; empty: neither has one.
Result<std::string> place(const std::string& flag, const char* variable);

// "sbxctl: TEXT" on standard error, with no control characters; returns kExitFailed.
int report_failure(const std::string& text);
// Each of them so; whether there were any.
bool report_damaged(const StoredImages& stored);

// What root did, or wanted to do, is an event of the monitor log; `error`: why it was not done, or null.
void record(const Settings& settings, AuditEvent event, const Error* error);
template <class T>
void record(const Settings& settings, AuditEvent event, const Result<T>& done) {
  record(settings, std::move(event), done ? nullptr : &done.error());
}

}  // namespace sbx
