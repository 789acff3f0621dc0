// One run for one client of a supervisor.
#pragma once

#include "keeper/open_client.h"
#include "keeper/site.h"

namespace sbx {

// `place`: of a client's own run, where its memory is told (wire/keeper_protocol.h); else -1.
void serve_run(const Site& site, const AskedBy& asked, bool from_api, int place);

}  // namespace sbx
