// What becomes of a question about projects.
#pragma once

#include <string>

#include "base/result.h"
#include "keeper/peer.h"
#include "run/settings.h"
#include "wire/project_protocol.h"

namespace sbx {

// A text for the answer. Errors with the number of errno(3) that says of what kind: ENOENT, EEXIST, EBUSY,
// ENOSPC, E2BIG for an answer that would be too long; 0: none of these.
// EACCES: it is not for `peer`; of a list those that are not are left out.
Result<std::string> answer_question(const Settings& settings, const ProjectQuestion& question,
                                    const PeerIdentity& peer);

// The same of the API itself, in nobody's name: check_all_files and nothing else. How many files of which
// project differed from its list; what they are called goes to standard error, sbxd's log.
Result<std::string> answer_own_question(const Settings& settings, const ProjectQuestion& question);

}  // namespace sbx
