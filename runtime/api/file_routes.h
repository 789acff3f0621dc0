// The files of a sandbox of many commands, as it sees them itself (docs/api.md).
#pragma once

#include "api/router.h"
#include "api/sandboxes.h"
#include "http/loop.h"
#include "wire/files_protocol.h"

namespace sbx::api {

// Both outlive the router.
void add_file_routes(Router& router, http::Loop& loop, const Sandboxes& sandboxes);

}  // namespace sbx::api
