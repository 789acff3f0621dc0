// What is done besides runs is a line of the monitor log, too: an event (docs/event.schema.json).
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "monitor/log_file.h"
#include "outcome/run_result.h"
#include "wire/files_protocol.h"

namespace sbx {

struct AuditEvent {
  std::string event;             // "sandbox.reset"; those that there are: docs/monitor.md
  std::optional<Caller> caller;  // nothing: sbx by itself
  std::string project_id;        // each empty where there is none
  std::string task_id;
  std::string sandbox_id;
  std::string subject;  // a path, a name, an id
  std::string to;       // what it is called now, or where it is
  std::string message;  // why; of what failed, and of an end
  bool failed = false;  // it was asked for, and refused or could not be done
};

// What is done with a file; nothing: it is looked at, and its content stays where it is.
const char* file_event_name(const FileRequest& request);

// With the time it is now, on one line of ASCII.
std::string event_to_json(const AuditEvent& event);

// `record` of an event that was made ahead, should somebody be killed: it is now. What is none stays as it
// is.
std::string with_time_now(const std::string& record);

// Errors are those of append_to_monitor_log: what was done stays done.
Result<void> record_event(const MonitorLogOptions& options, const AuditEvent& event);

}  // namespace sbx
