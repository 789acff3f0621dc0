// sbxctl cleanup: what killed runs left is removed, by sbxd where one runs.
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "commands.h"
#include "daemon_client.h"
#include "project_files/project_files.h"
#include "resource/own_directories.h"
#include "run/run_one.h"

namespace sbx {
namespace {

using Json = nlohmann::json;

struct Line {
  std::string run_dir;
  std::string socket;
  bool json = false;
};

Result<Json> sweep_directly(const Settings& settings) {
  if (geteuid() != 0) return fail("no sbxd runs, and without one only root can remove what killed runs left");
  TRY(check_own_directories(settings.state_dir, settings.run_dir));
  const Sweep sweep = sweep_orphans(settings);
  return Json{{"removed", sweep.removed},
              {"failure", sweep.failure.empty() ? Json(nullptr) : Json(sweep.failure)}};
}

// What the lists of projects' files did not know: it is told, they are repaired, and no file is touched. sbxd
// does the same and tells how many: their names are in its log.
Json check_files(const Settings& settings, bool& failed) {
  Json found = Json::array();
  const auto note = [&](const std::string& project, const Result<project_files::CheckReport>& report) {
    if (!report) {
      (void)report_failure("files of project '" + project + "': " + report.error().text);
      failed = true;
      return;
    }
    if (report->missing.empty() && report->changed.empty() && report->returned.empty()) return;
    found.push_back({{"project", project},
                     {"missing", report->missing},
                     {"changed", report->changed},
                     {"returned", report->returned}});
  };
  if (geteuid() == 0) project_files::check_all(settings.state_dir, settings.ids.service_id(), note);
  return found;
}

void print_files(const Json& files) {
  for (const Json& one : files) {
    for (const char* kind : {"missing", "changed", "returned"}) {
      for (const Json& path : one[kind])
        (void)printf("project '%s': %s: %s\n", one["project"].get<std::string>().c_str(), kind,
                     printable(path.get<std::string>()).c_str());
    }
  }
}

void print_counts(const Json& files, bool& failed) {
  for (const Json& one : files) {
    const std::string project = "project '" + printable(one.value("project", "")) + "': ";
    if (one["failure"].is_string()) {
      (void)report_failure("files of " + project + printable(one["failure"].get<std::string>()));
      failed = true;
      continue;
    }
    (void)printf("%s%d missing, %d changed, %d returned; sbxd's log has their names\n", project.c_str(),
                 one.value("missing", 0), one.value("changed", 0), one.value("returned", 0));
  }
}

int clean_up(Settings settings, const Line& line) {
  std::string socket;
  for (const auto& [flag, variable, setting] : {std::tuple<const std::string&, const char*, std::string&>{
                                                    line.run_dir, "SBX_RUN_DIR", settings.run_dir},
                                                {line.socket, "SBX_SOCKET", socket}}) {
    Result<std::string> path = place(flag, variable);
    if (!path) {
      (void)report_failure(path.error().text);
      return kExitUsage;
    }
    if (!path->empty()) setting = std::move(*path);
  }
  if (socket.empty()) socket = settings.run_dir + "/sbxd.sock";
  Result<std::optional<Json>> asked = ask_daemon(socket, "POST", "/v1/cleanup");
  if (!asked) return report_failure(asked.error().text);
  const bool by_daemon = asked->has_value();
  const Result<Json> swept = by_daemon ? Result<Json>(std::move(**asked)) : sweep_directly(settings);
  if (!swept) return report_failure(swept.error().text);
  const Json removed = swept->value("removed", Json::array());
  bool failed = false;
  const Json files = by_daemon ? swept->value("files", Json()) : check_files(settings, failed);
  const std::string failure = (*swept)["failure"].is_string() ? (*swept)["failure"].get<std::string>() : "";
  if (line.json) {
    Json json = *swept;
    json["by"] = by_daemon ? "sbxd" : "sbxctl";
    json["files"] = files;
    (void)printf("%s\n", json.dump(2, ' ', true, Json::error_handler_t::replace).c_str());
  } else {
    for (const Json& one : removed)
      (void)printf("removed %s\n", printable(one.is_string() ? one.get<std::string>() : one.dump()).c_str());
    if (removed.empty()) (void)printf("nothing was left\n");
    by_daemon ? print_counts(files, failed) : print_files(files);
  }
  if (!failure.empty()) return report_failure(failure);
  return failed ? kExitFailed : kExitOk;
}

}  // namespace

void add_cleanup_command(CLI::App& app, const Settings& settings, Action& action) {
  CLI::App* command =
      app.add_subcommand("cleanup", "Remove what killed runs left; a project's files are not");
  const auto line = std::make_shared<Line>();
  command->fallthrough();
  command->add_flag("--json", line->json, "As JSON");
  command->add_option("--run-dir", line->run_dir, "What is there only while something runs (SBX_RUN_DIR)");
  command->add_option("--socket", line->socket, "Of sbxd (SBX_SOCKET; default: RUN/sbxd.sock)");
  command->footer("A running sbxd is asked to do it; where none runs, it is done here.");
  command->callback(
      [&settings, &action, line] { action = [&settings, line] { return clean_up(settings, *line); }; });
}

}  // namespace sbx
