// What a project is asked for that a question makes or limits.
#pragma once

#include "base/result.h"
#include "resource/projects.h"
#include "run/settings.h"
#include "wire/project_protocol.h"

namespace sbx {

// As a run under the question's policy would, with the question's limits.
Result<ProjectWish> wish_of(const Settings& settings, const ProjectQuestion& question);

}  // namespace sbx
