// An image that is not there is built by the run that needs it: --build, or auto_build in the configuration.
#pragma once

#include "base/result.h"
#include "request/run_request.h"
#include "run/settings.h"

namespace sbx {

// Builds and imports the image that the request needs, if the store has none; for a language without an image
// the one of rootfs/images that has it, the last by its name. What is done is told on our standard error.
// Errors: it cannot be built; no Dockerfile is for it.
Result<void> build_missing_image(const Settings& settings, const RunRequest& request);

}  // namespace sbx
