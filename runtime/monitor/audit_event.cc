#include "monitor/audit_event.h"

#include <nlohmann/json.hpp>

#include "base/times.h"
#include "base/utf8.h"

namespace sbx {
namespace {

using Json = nlohmann::ordered_json;

Json or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

std::string one_line(const Json& json) { return json.dump(-1, ' ', true, Json::error_handler_t::replace); }

// Names of files are bytes: what is no text is there as it was, beside what can be shown of it.
void add_name(Json& json, const std::string& key, const std::string& name) {
  json[key] = or_null(name);
  if (valid_utf8_prefix(name) != name.size()) json[key + "_base64"] = base64(name);
}

}  // namespace

const char* file_event_name(const FileRequest& request) {
  switch (request.operation) {
  case FileOperation::read: return "file.download";
  case FileOperation::write: return request.expected.empty() ? "file.upload" : "file.edit";
  case FileOperation::remove: return "file.delete";
  case FileOperation::directory: return "file.mkdir";
  case FileOperation::move: return "file.move";
  case FileOperation::list:
  case FileOperation::stat: break;
  }
  return nullptr;
}

std::string event_to_json(const AuditEvent& event) {
  Json json = {{"event", event.event}, {"time", rfc3339(utc_ms())}, {"caller", nullptr}};
  if (event.caller)
    json["caller"] =
        event.caller->token.empty() ? Json{{"uid", event.caller->uid}} : Json{{"token", event.caller->token}};
  json["project_id"] = or_null(event.project_id);
  json["task_id"] = or_null(event.task_id);
  json["sandbox_id"] = or_null(event.sandbox_id);
  add_name(json, "subject", event.subject);
  add_name(json, "to", event.to);
  json["outcome"] = event.failed ? "failed" : "done";
  json["message"] = or_null(event.message);
  return one_line(json);
}

std::string with_time_now(const std::string& record) {
  Json json = Json::parse(record, nullptr, false);
  if (!json.is_object() || !json.contains("event")) return record;
  json["time"] = rfc3339(utc_ms());
  return one_line(json);
}

Result<void> record_event(const MonitorLogOptions& options, const AuditEvent& event) {
  return append_to_monitor_log(options, event_to_json(event));
}

}  // namespace sbx
