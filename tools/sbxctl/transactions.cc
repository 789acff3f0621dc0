// sbxctl tx and sbxctl snapshots: what runs of a project left to be decided, and states of it that are kept.
// As root, on the host; what guests wrote is read in a worker (tree/worker.h).
#include "resource/transactions.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "commands.h"
#include "outcome/run_result.h"
#include "projects/answer.h"
#include "projects/patch.h"
#include "projects/project_json.h"
#include "resource/own_directories.h"

namespace sbx {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kExitRefused = 3;
constexpr std::size_t kMostShown = 1'000'000;

struct Line {
  std::string project;
  std::string name;  // of a transaction or snapshot
  bool json = false;
  bool patch = false;
};

using Work = std::function<Result<int>(const Transactions&, const Line&)>;

// Busy is an answer, not a failure: it is worth another try.
int report(const Error& error) {
  (void)report_failure(error.text);
  return error.error_number == EBUSY ? kExitRefused : kExitFailed;
}

int with_project(const Settings& settings, const Line& line, const Work& work) {
  if (geteuid() != 0) return report_failure("only root can look into projects");
  const Result<int> done = [&]() -> Result<int> {
    TRY(check_own_directories(settings.state_dir, settings.run_dir));
    const OpenedProject project = TRY(open_project_disk(settings.state_dir, line.project));
    const Transactions transactions(project, settings.ids.service_id());
    return TRY_DOING("project '" + line.project + "'", work(transactions, line));
  }();
  return done ? *done : report(done.error());
}

void print(const Json& json) {
  (void)printf("%s\n", json.dump(2, ' ', true, Json::error_handler_t::replace).c_str());
}

Result<int> list(const Transactions& transactions, const Line& line) {
  const std::vector<BranchRecord> all = TRY(transactions.list());
  if (line.json) return print(transactions_json(all)), kExitOk;
  for (const BranchRecord& record : all) {
    const std::string task = record.task.empty() ? "" : "  task " + record.task;
    (void)printf("%s  since %s%s\n", record.id.c_str(), record.created.c_str(), task.c_str());
  }
  return kExitOk;
}

Result<int> diff(const Transactions& transactions, const Line& line) {
  if (line.patch) {
    prepare_patches();
    const std::string patch = TRY(transactions.work_in(line.name, make_patch));
    (void)fwrite(patch.data(), 1, patch.size(), stdout);
    return kExitOk;
  }
  const ChangeList changes = TRY(transactions.diff(line.name, kMostShown));
  if (line.json) {
    print(Json::parse(changes_to_json(changes)));
  } else {
    (void)printf("%s", describe_changes(changes).c_str());
  }
  return kExitOk;
}

// What changes something is a question, as it is over the API, and an event of the log.
Result<Json> ask(const Settings& settings, const Line& line, ProjectAction what) {
  ProjectQuestion question;
  question.action = what;
  question.project = line.project;
  question.name = line.name;
  // Names that are none are refused as those are that come from elsewhere.
  const ProjectQuestion checked = TRY(decode_project_question(encode_project_question(question)));
  const std::string answer =
      TRY_DOING("project '" + line.project + "'", answer_question(settings, checked, PeerIdentity()));
  return Json::parse(answer);
}

int change(const Settings& settings, const Line& line, ProjectAction what) {
  if (geteuid() != 0) return report_failure("only root can look into projects");
  const Result<Json> done = ask(settings, line, what);
  if (!done) return report(done.error());
  if (what != ProjectAction::commit) return kExitOk;
  if (line.json) print(*done);
  if ((*done)["committed"]) return kExitOk;
  (void)report_failure("not committed: the project has changed since '" + line.name +
                       "' began, and not to the same, at");
  for (const Json& path : (*done)["conflicts"])
    (void)fprintf(stderr, "  %s\n", printable(path.get<std::string>()).c_str());
  return kExitRefused;
}

Result<int> list_snapshots(const Transactions& transactions, const Line& line) {
  const std::vector<SnapshotRecord> all = TRY(transactions.snapshots());
  if (line.json) return print(snapshots_json(all)), kExitOk;
  for (const SnapshotRecord& record : all)
    (void)printf("%s  of %s\n", record.name.c_str(), record.created.c_str());
  return kExitOk;
}

class Commands {
 public:
  Commands(CLI::App& parent, const Settings& settings, Action& action, std::string named)
      : parent_(parent),
        settings_(settings),
        action_(action),
        named_(std::move(named)),
        line_(std::make_shared<Line>()) {
    parent.require_subcommand(1);
  }

  // `takes_name`: of one transaction or snapshot.
  CLI::App* add(const char* name, const char* help, bool takes_name, Work work) {
    return add_command(name, help, takes_name,
                       [work = std::move(work)](const Settings& settings, const Line& line) {
                         return with_project(settings, line, work);
                       });
  }
  CLI::App* add(const char* name, const char* help, ProjectAction what) {
    return add_command(name, help, true, [what](const Settings& settings, const Line& line) {
      return change(settings, line, what);
    });
  }

  [[nodiscard]] Line& line() { return *line_; }

 private:
  using Act = std::function<int(const Settings&, const Line&)>;
  CLI::App* add_command(const char* name, const char* help, bool takes_name, Act act) {
    CLI::App* command = parent_.add_subcommand(name, help);
    command->add_option("--project", line_->project, "The project")->required();
    if (takes_name) command->add_option(named_, line_->name, "Which one")->required();
    command->callback([&settings = settings_, &action = action_, line = line_, act = std::move(act)] {
      action = [&settings, line, act] { return act(settings, *line); };
    });
    return command;
  }

  CLI::App& parent_;
  const Settings& settings_;
  Action& action_;
  std::string named_;
  std::shared_ptr<Line> line_;
};

}  // namespace

void add_transaction_commands(CLI::App& app, const Settings& settings, Action& action) {
  CLI::App* tx = app.add_subcommand("tx", "Transactions of a project: changes that wait for a decision");
  Commands commands(*tx, settings, action, "ID");
  Line& line = commands.line();
  commands.add("list", "Those that there are", false, list)->add_flag("--json", line.json, "As JSON");
  CLI::App* shown = commands.add("diff", "What one changes", true, diff);
  shown->add_flag("--json", line.json, "As JSON");
  shown->add_flag("--patch", line.patch, "As a unified patch; binary files by their SHA-256");
  commands.add("commit", "The project has its changes from now on", ProjectAction::commit)
      ->add_flag("--json", line.json, "As JSON");
  commands.add("discard", "Drop its changes", ProjectAction::discard);
  tx->footer("Exit status 3: refused because of conflicts, or a run uses it or writes to the project now.");

  CLI::App* states = app.add_subcommand("snapshots", "States of a project that are kept");
  Commands kept(*states, settings, action, "NAME");
  kept.add("list", "Those that there are", false, list_snapshots)
      ->add_flag("--json", kept.line().json, "As JSON");
  kept.add("take", "Keep what the project has now", ProjectAction::take_snapshot);
  kept.add("restore", "The project has from now on what it had then", ProjectAction::restore_snapshot);
  kept.add("remove", "Keep it no longer", ProjectAction::remove_snapshot);
}

}  // namespace sbx
