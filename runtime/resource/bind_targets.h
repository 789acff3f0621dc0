// The places inside that binds ask for, as the image and what is shown of the host have them. Looked at
// before a run as well as for a plan: at the launch it would be the step `mount` that fails, or nothing
// would.
#pragma once

#include <optional>

#include "base/result.h"
#include "os/file_rights.h"
#include "plan/sandbox_plan.h"
#include "request/run_request.h"
#include "resource/bind_sources.h"

namespace sbx {

// The target of a bind in the image is made in a layer above it, with the directories that lead to it. One
// that lies below a link of the image (`/bin` of a merged /usr) would put a directory in the link's place,
// and all that the link led to would be gone; the same for a file. Error: names the flag, the place and the
// link. A target in a project, in --here or in another bind has to be there, since nothing is made in them.
// `facts` has image, project and bind_is_file already. What cannot be seen by who only asks is not refused.
// Binds are looked into as they were opened, with the rights of `client` (missing: our own).
Result<void> check_bind_targets(const RunRequest& request, const PlanFacts& facts, const BindSources& sources,
                                const std::optional<os::FileRights>& client);

}  // namespace sbx
