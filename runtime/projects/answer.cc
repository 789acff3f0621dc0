#include "projects/answer.h"

#include <cerrno>
#include <nlohmann/json.hpp>

#include "outcome/run_result.h"
#include "projects/answer_files.h"
#include "projects/audit.h"
#include "projects/check_all_files.h"
#include "projects/check_asker.h"
#include "projects/patch.h"
#include "projects/project_json.h"
#include "projects/wish.h"
#include "resource/own_directories.h"
#include "resource/transactions.h"

namespace sbx {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostChanges = 10'000;  // that a list of them has

Json list(const std::vector<ProjectInfo>& projects, const PeerIdentity& peer) {
  Json all = Json::array();
  for (const ProjectInfo& info : projects) {
    if (is_for_peer(info.id, peer)) all.push_back(project_json(info));
  }
  return {{"projects", std::move(all)}};
}

Result<Json> show(const Settings& settings, const std::string& id) {
  const ProjectInfo info = TRY(look_at_project(settings.state_dir, id));
  const auto use = measure_project(settings.state_dir, id, settings.ids.service_id());
  if (!use && use.error().error_number != EBUSY) return fail(use.error());
  Json json = project_json(info);
  json["usage"] = use ? Json{{"bytes", use->bytes}, {"inodes", use->inodes}} : Json();
  const ProjectStore store(project_directory(settings.state_dir, id));
  json["transactions"] = transactions_json(TRY(store.branches()));
  json["snapshots"] = snapshots_json(TRY(store.snapshots()));
  return json;
}

Result<Json> create(const Settings& settings, const ProjectQuestion& question) {
  const ProjectWish wish = TRY(wish_of(settings, question));
  TRY(create_project(settings.state_dir, question.project, wish, settings.ids.service_id()));
  return show(settings, question.project);
}

Result<Json> limit(const Settings& settings, const ProjectQuestion& question) {
  const ProjectWish wish = TRY(wish_of(settings, question));
  TRY(change_project_limits(settings.state_dir, question.project, wish, settings.ids.service_id()));
  return show(settings, question.project);
}

Result<Json> rename(const Settings& settings, const ProjectQuestion& question) {
  TRY(rename_project(settings.state_dir, question.project, question.name));
  return project_json(TRY(look_at_project(settings.state_dir, question.name)));
}

Result<Json> remove(const Settings& settings, const ProjectQuestion& question) {
  TRY(delete_project(settings.state_dir, question.project));
  return Json::object();
}

Result<Json> commit(const Transactions& transactions, const std::string& id) {
  const std::vector<std::string> conflicts = TRY(transactions.commit(id));
  return Json{{"committed", conflicts.empty()}, {"conflicts", conflicts}};
}

Result<Json> list_transactions(const Transactions& transactions) {
  const std::vector<BranchRecord> records = TRY(transactions.list());
  return Json{{"transactions", transactions_json(records)}};
}

Result<Json> list_snapshots(const Transactions& transactions) {
  const std::vector<SnapshotRecord> records = TRY(transactions.snapshots());
  return Json{{"snapshots", snapshots_json(records)}};
}

// What is done with the generations of one project.
Result<Json> decide(const Transactions& transactions, const ProjectQuestion& question) {
  switch (question.action) {
  case ProjectAction::transactions: return list_transactions(transactions);
  case ProjectAction::diff:
    return Json::parse(changes_to_json(TRY(transactions.diff(question.name, kMostChanges))));
  case ProjectAction::commit: return commit(transactions, question.name);
  case ProjectAction::discard: TRY(transactions.discard(question.name)); break;
  case ProjectAction::snapshots: return list_snapshots(transactions);
  case ProjectAction::take_snapshot: return snapshot_json(TRY(transactions.take_snapshot(question.name)));
  case ProjectAction::restore_snapshot: TRY(transactions.restore_snapshot(question.name)); break;
  case ProjectAction::remove_snapshot: TRY(transactions.remove_snapshot(question.name)); break;
  default: return fail("a question of another build");
  }
  return Json::object();
}

Result<std::string> make_patch_of(const Transactions& transactions, const std::string& id) {
  prepare_patches();
  return transactions.work_in(id, make_patch);
}

std::string text_of(const Json& json) { return json.dump(-1, ' ', true, Json::error_handler_t::replace); }

Result<std::string> answer_of_generations(const Settings& settings, const ProjectQuestion& question) {
  const OpenedProject project = TRY(open_project_disk(settings.state_dir, question.project));
  const Transactions transactions(project, settings.ids.service_id());
  if (question.action == ProjectAction::patch) return make_patch_of(transactions, question.name);
  const Json json = TRY(decide(transactions, question));
  return text_of(json);
}

// What the API did itself, and only root can record.
bool is_about_record(ProjectAction action) {
  return action == ProjectAction::store_configuration || action == ProjectAction::remove_configuration;
}

Result<Json> answer_of_projects(const Settings& settings, const ProjectQuestion& question,
                                const PeerIdentity& peer) {
  switch (question.action) {
  case ProjectAction::list: return list(TRY(list_projects(settings.state_dir)), peer);
  case ProjectAction::show: return show(settings, question.project);
  case ProjectAction::create: return create(settings, question);
  case ProjectAction::limit: return limit(settings, question);
  case ProjectAction::rename: return rename(settings, question);
  default: return remove(settings, question);
  }
}

Result<std::string> answer_of(const Settings& settings, const ProjectQuestion& question,
                              const PeerIdentity& peer) {
  TRY(check_asker_may(question, peer));
  TRY(check_own_directories(settings.state_dir, settings.run_dir));
  std::string text;
  if (is_about_record(question.action)) return "{}";
  if (is_about_files(question.action)) {
    text = TRY(answer_about_files(settings, question, peer));
  } else if (question.action > ProjectAction::limit) {
    text = TRY(answer_of_generations(settings, question));
  } else {
    const Json json = TRY(answer_of_projects(settings, question, peer));
    text = text_of(json);
  }
  if (text.size() <= kMostProjectAnswer) return text;
  return fail(Error{"the answer is longer than 16 MiB; on the host sbxctl has no such limit", E2BIG});
}

}  // namespace

Result<std::string> answer_question(const Settings& settings, const ProjectQuestion& question,
                                    const PeerIdentity& peer) {
  if (question.action == ProjectAction::check_all_files) return fail("a question that nobody may ask");
  Result<std::string> answer = answer_of(settings, question, peer);
  record_question(settings.log, event_of(question, peer), answer);
  return answer;
}

Result<std::string> answer_own_question(const Settings& settings, const ProjectQuestion& question) {
  if (question.action != ProjectAction::check_all_files) return fail("a question that somebody has to ask");
  TRY(check_own_directories(settings.state_dir, settings.run_dir));
  return text_of({{"files", check_all_files(settings)}});
}

}  // namespace sbx
