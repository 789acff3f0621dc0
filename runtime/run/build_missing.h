// An image that is not there is built by the run that needs it: --build, or auto_build in the configuration.
#pragma once

#include "base/result.h"
#include "request/run_request.h"
#include "run/settings.h"

namespace sbx {

// Builds and imports the image that the request needs, if the store has none; for a language without an image
// the one of rootfs/images that has it, the last by its name. Where there is none nothing is done, and the
// run tells what is missing. What is done is told on our standard error. Errors: it could not be built; the
// socket `client` was closed, or said something, which can only be that nothing is wanted any more.
Result<void> build_missing_image(const Settings& settings, const RunRequest& request, int client);

}  // namespace sbx
