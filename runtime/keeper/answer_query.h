// What the API asks of the host, which it cannot see.
#pragma once

#include "base/unique_fd.h"
#include "keeper/site.h"
#include "run/run_one.h"
#include "wire/keeper_protocol.h"

namespace sbx {

// On `client` (wire/client_protocol.h) comes a request, and goes a text, which is JSON. Nothing is
// remembered: each answer is looked up anew.
void answer_query(const Site& site, HostQuery query, const UniqueFd& client);

// What was swept is said on standard error, sbxd's log.
Sweep sweep_and_say(const Settings& settings);

}  // namespace sbx
