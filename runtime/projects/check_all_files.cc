#include "projects/check_all_files.h"

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "project_files/project_files.h"

namespace sbx {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostNamed = 20;  // of a kind; `check` of the project has all

void say(const std::string& text) { (void)std::fprintf(stderr, "sbxd: %s\n", text.c_str()); }

void name_paths(const std::string& project, const char* kind, const std::vector<std::string>& paths) {
  for (std::size_t i = 0; i < std::min(paths.size(), kMostNamed); ++i)
    say("files of project '" + project + "': " + kind + ": " + printable(paths[i]));
  if (paths.size() > kMostNamed)
    say("files of project '" + project + "': " + kind + ": " + std::to_string(paths.size() - kMostNamed) +
        " more");
}

Json of_project(const std::string& project, const Result<project_files::CheckReport>& report) {
  if (!report) {
    say("files of project '" + project + "': " + report.error().text);
    return {{"project", project},
            {"missing", 0},
            {"changed", 0},
            {"returned", 0},
            {"failure", report.error().text}};
  }
  name_paths(project, "missing", report->missing);
  name_paths(project, "changed", report->changed);
  name_paths(project, "returned", report->returned);
  return {{"project", project},
          {"missing", report->missing.size()},
          {"changed", report->changed.size()},
          {"returned", report->returned.size()},
          {"failure", nullptr}};
}

}  // namespace

Json check_all_files(const Settings& settings) {
  Json found = Json::array();
  project_files::check_all(
      settings.state_dir, settings.ids.service_id(),
      [&](const std::string& project, const Result<project_files::CheckReport>& report) {
        if (!report || !(report->missing.empty() && report->changed.empty() && report->returned.empty()))
          found.push_back(of_project(project, report));
      });
  return found;
}

}  // namespace sbx
