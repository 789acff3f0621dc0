// Which event a question about projects is (monitor/audit_event.h).
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "keeper/peer.h"
#include "monitor/audit_event.h"
#include "wire/project_protocol.h"

namespace sbx {

// Nothing: it looks at what there is, and takes no content of files along.
std::optional<AuditEvent> event_of(const ProjectQuestion& question, const PeerIdentity& peer);

// Records `event`, if there is one, with what came of it: `answer` is the text of answer_question, or why
// there is none. Where it cannot be recorded, that is told on standard error.
void record_question(const MonitorLogOptions& log, std::optional<AuditEvent> event,
                     const Result<std::string>& answer);

}  // namespace sbx
