// What becomes of a question about the files of a project.
#pragma once

#include <string>

#include "base/result.h"
#include "keeper/peer.h"
#include "run/settings.h"
#include "wire/project_protocol.h"

namespace sbx {

// JSON. Content comes from kProjectContentIn and goes to kProjectContentOut. A project that is not there is
// made for what is new, as a run under the question's policy makes it. Errors: those of
// project_files/project_files.h.
Result<std::string> answer_about_files(const Settings& settings, const ProjectQuestion& question,
                                       const PeerIdentity& peer);

}  // namespace sbx
