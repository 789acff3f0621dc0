// What becomes of a question about projects.
#pragma once

#include <string>

#include "base/result.h"
#include "run/settings.h"
#include "wire/project_protocol.h"

namespace sbx {

// A text for the answer. Errors with the number of errno(3) that says of what kind: ENOENT, EEXIST, EBUSY,
// ENOSPC, E2BIG for an answer that would be too long; 0: none of these.
Result<std::string> answer_question(const Settings& settings, const ProjectQuestion& question);

}  // namespace sbx
