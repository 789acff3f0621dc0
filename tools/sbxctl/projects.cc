// sbxctl projects: what remains when every sandbox is gone. As root, on the host.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/units.h"
#include "commands.h"
#include "projects/answer.h"
#include "projects/project_json.h"

namespace sbx {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kExitRefused = 3;

struct Line {
  ProjectQuestion question;
  std::string disk;
  std::string inodes;
  bool json = false;
  bool all = false;
  bool yes = false;
};

int report(const Error& error) {
  (void)report_failure(error.text);
  return error.error_number == EBUSY ? kExitRefused : kExitFailed;
}

Result<Json> ask(const Settings& settings, const ProjectQuestion& question) {
  if (geteuid() != 0)
    return fail("only root can look into projects; over the socket of sbxd others can, too");
  // Names that are none are refused as those are that come from elsewhere.
  const ProjectQuestion checked = TRY(decode_project_question(encode_project_question(question)));
  return Json::parse(TRY(answer_question(settings, checked, PeerIdentity())));
}

void print(const Json& json) { (void)printf("%s\n", json.dump(2).c_str()); }

std::string size_or(const Json& value, const char* otherwise) {
  return value.is_null() ? otherwise : format_bytes(value.get<std::uint64_t>());
}

std::string text_or(const Json& value, const char* otherwise) {
  return value.is_null() ? otherwise : value.is_string() ? value.get<std::string>() : value.dump();
}

void print_line(const Json& project) {
  (void)printf("%s  %s  %s%s\n", project["project_id"].get<std::string>().c_str(),
               size_or(project["limits"]["disk_bytes"], "no limit").c_str(),
               text_or(project["last_used_at"], "never used").c_str(),
               project["in_use"].get<bool>() ? "  in use" : "");
}

void print_whole(const Json& project) {
  const Json& limits = project["limits"];
  const Json& use = project["usage"];
  const auto say = [](const char* what, const std::string& value) {
    (void)printf("%-13s %s\n", what, value.c_str());
  };
  say("project", project["project_id"]);
  say("layout", project["layout"]);
  say("storage", project["storage"]);
  const bool busy = use.is_null();
  say("size", (busy ? "?" : size_or(use["bytes"], "")) + " of " + size_or(limits["disk_bytes"], "any"));
  say("inodes", (busy ? "?" : use["inodes"].dump()) + " of " + text_or(limits["inodes"], "any"));
  say("in use", project["in_use"].get<bool>() ? "yes" : "no");
  say("created", text_or(project["created_at"], "unknown"));
  say("last used", text_or(project["last_used_at"], "never"));
  say("transactions", std::to_string(project["transactions"].size()));
  say("snapshots", std::to_string(project["snapshots"].size()));
}

int list(const Settings& settings, const Line& line) {
  const Result<Json> all = ask(settings, line.question);
  if (!all) return report(all.error());
  if (line.json) return print((*all)["projects"]), kExitOk;
  for (const Json& project : (*all)["projects"]) print_line(project);
  return kExitOk;
}

int show(const Settings& settings, const Line& line) {
  const Result<Json> project = ask(settings, line.question);
  if (!project) return report(project.error());
  line.json ? print(*project) : print_whole(*project);
  return kExitOk;
}

int change(const Settings& settings, const Line& line) {
  const Result<Json> done = ask(settings, line.question);
  if (!done) return report(done.error());
  if (line.json && !done->empty()) print(*done);
  return kExitOk;
}

Result<void> read_limits(Line& line) {
  if (!line.disk.empty()) line.question.bytes = TRY(parse_bytes("--disk", line.disk));
  if (!line.inodes.empty()) line.question.inodes = TRY(parse_count("--inodes", line.inodes));
  return {};
}

int change_limits(const Settings& settings, Line line) {
  if (const auto read = read_limits(line); !read) return (void)report_failure(read.error().text), kExitUsage;
  return change(settings, line);
}

// On a terminal it is asked for.
bool is_meant(const Line& line) {
  if (line.yes) return true;
  if (isatty(STDIN_FILENO) == 0) return false;
  (void)fprintf(stderr, "Delete all projects, with all that is in them? Type 'yes': ");
  std::string answer;
  for (int c = getchar(); c != EOF && c != '\n'; c = getchar()) answer += static_cast<char>(c);
  return answer == "yes";
}

int remove_all(const Settings& settings, const Line& line) {
  const Result<Json> all = ask(settings, {});
  if (!all) return report(all.error());
  if (!is_meant(line)) return report_failure("nothing was deleted: --all wants --yes");
  int status = kExitOk;
  for (const Json& project : (*all)["projects"]) {
    ProjectQuestion question = line.question;
    question.project = project["project_id"];
    if (const Result<Json> done = ask(settings, question); !done)
      status =
          std::max(status, report(Error(done.error()).while_doing("project '" + question.project + "'")));
  }
  return status;
}

int remove(const Settings& settings, const Line& line) {
  if (line.all == !line.question.project.empty())
    return (void)report_failure("name one project, or say --all"), kExitUsage;
  return line.all ? remove_all(settings, line) : change(settings, line);
}

}  // namespace

void add_project_commands(CLI::App& app, const Settings& settings, Action& action) {
  CLI::App* projects = app.add_subcommand("projects", "Projects: which there are, and what is in them");
  projects->require_subcommand(1);
  using Work = int (*)(const Settings&, const Line&);
  const auto add = [&](const char* name, const char* help, ProjectAction what, Work work) {
    CLI::App* command = projects->add_subcommand(name, help);
    auto line = std::make_shared<Line>();
    line->question.action = what;
    command->callback([&settings, &action, line, work] {
      action = [&settings, line, work] { return work(settings, *line); };
    });
    return std::pair(command, line);
  };
  const auto takes_project = [](const auto& added, const char* named = "ID") {
    return added.first->add_option(named, added.second->question.project, "The project");
  };
  const auto has_limits = [](const auto& added) {
    added.first->add_option("--disk", added.second->disk, "Bytes that it may hold");
    added.first->add_option("--inodes", added.second->inodes, "Files and directories that it may hold");
  };
  const auto has_json = [](const auto& added) {
    added.first->add_flag("--json", added.second->json, "As JSON");
  };
  has_json(add("list", "Those that there are", ProjectAction::list, list));
  const auto shown = add("show", "One, with how much is in it", ProjectAction::show, show);
  takes_project(shown)->required();
  has_json(shown);
  const auto made = add("create", "Make one, before its first run", ProjectAction::create,
                        [](const Settings& s, const Line& line) { return change_limits(s, line); });
  takes_project(made)->required();
  has_limits(made);
  made.first->add_option("--policy", made.second->question.policy,
                         "Whose layout, limits and ceilings it has (default)");
  has_json(made);
  const auto limited = add("limit", "Other limits, while no sandbox uses it", ProjectAction::limit,
                           [](const Settings& s, const Line& line) { return change_limits(s, line); });
  takes_project(limited)->required();
  has_limits(limited);
  limited.first->add_option("--policy", limited.second->question.policy, "Whose ceilings hold (default)");
  has_json(limited);
  const auto renamed = add("rename", "Give it another name", ProjectAction::rename, change);
  takes_project(renamed)->required();
  renamed.first->add_option("NEW", renamed.second->question.name, "The name")->required();
  const auto deleted = add("delete", "Delete it, with all that is in it", ProjectAction::remove, remove);
  takes_project(deleted);
  deleted.first->add_flag("--all", deleted.second->all, "All that there are");
  deleted.first->add_flag("--yes", deleted.second->yes, "With --all: do not ask");
  projects->footer("Exit status 3: refused because a run or a sandbox uses it now.");
}

}  // namespace sbx
