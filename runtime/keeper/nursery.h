// A process per CPU that forks keepers: it has read and opened what is the same for each, and is as small and
// single-threaded as what it forks.
#pragma once

#include "base/result.h"
#include "keeper/site.h"

namespace sbx {

// Serves the API at `socket` until that is closed.
Result<void> serve_nursery(const Site& site, int socket);

}  // namespace sbx
