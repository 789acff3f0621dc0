#include "projects/audit.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/printable.h"

namespace sbx {
namespace {

const char* name_of_event(const ProjectQuestion& question) {
  switch (question.action) {
  case ProjectAction::create: return "project.create";
  case ProjectAction::rename: return "project.rename";
  case ProjectAction::remove: return "project.delete";
  case ProjectAction::limit: return "project.limit";
  case ProjectAction::commit: return "transaction.commit";
  case ProjectAction::discard: return "transaction.discard";
  case ProjectAction::take_snapshot: return "snapshot.take";
  case ProjectAction::restore_snapshot: return "snapshot.restore";
  case ProjectAction::remove_snapshot: return "snapshot.remove";
  case ProjectAction::store_configuration: return "configuration.store";
  case ProjectAction::remove_configuration: return "configuration.remove";
  case ProjectAction::patch: return "transaction.patch";
  case ProjectAction::file: return question.file ? file_event_name(question.file->request) : nullptr;
  case ProjectAction::upload:
  case ProjectAction::extract: return "file.upload";
  case ProjectAction::fetch_archive: return "file.download";
  default: return nullptr;
  }
}

// A commit that conflicts kept is answered, and is none.
std::string why_not_committed(const std::string& answer) {
  const nlohmann::json json = nlohmann::json::parse(answer, nullptr, false);
  if (!json.is_object() || json.value("committed", true)) return {};
  const std::size_t conflicts = json.value("conflicts", nlohmann::json::array()).size();
  return std::to_string(conflicts) + (conflicts == 1 ? " conflict" : " conflicts");
}

}  // namespace

std::optional<AuditEvent> event_of(const ProjectQuestion& question, const PeerIdentity& peer) {
  const char* name = name_of_event(question);
  if (name == nullptr) return {};
  AuditEvent event;
  event.event = name;
  event.caller = peer.caller();
  event.project_id = question.project;
  if (question.action == ProjectAction::rename) {
    event.to = question.name;
  } else if (question.file) {
    event.subject = question.file->request.path;
    event.to = question.file->request.to;
    if (!question.name.empty()) event.subject += (event.subject.empty() ? "" : "/") + question.name;
  } else {
    event.subject = question.name;
  }
  return event;
}

void record_question(const MonitorLogOptions& log, std::optional<AuditEvent> event,
                     const Result<std::string>& answer) {
  if (!event) return;
  event->message = !answer                                ? answer.error().text
                   : event->event == "transaction.commit" ? why_not_committed(*answer)
                                                          : "";
  event->failed = !event->message.empty();
  if (const auto recorded = record_event(log, *event); !recorded)
    (void)std::fprintf(stderr, "%s\n", printable(recorded.error().text).c_str());
}

}  // namespace sbx
