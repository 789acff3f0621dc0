// Looks at a peer from outside while a program runs in it.
#pragma once

#include "base/result.h"
#include "isolation.h"
#include "peers.h"

namespace sbx::bench {

// Runs a program that sleeps in the peer, finds it in /proc, reads its facts and ends it.
Result<Isolation> observe(const Way& way);

}  // namespace sbx::bench
