// User namespaces as id maps: for a sandbox to join, and for id-mapped mounts (user_namespaces(7),
// mount_setattr(2)). Nothing lives in them yet; they stay while a descriptor or a process refers to them.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "wire/spawner_protocol.h"

namespace sbx {

// Written by us, the privileged parent, so that setgroups(2) stays possible inside until the filter
// refuses it. Single-threaded callers only: a helper child shares our memory for a moment.
Result<UniqueFd> make_user_namespace(const IdMap& map);

}  // namespace sbx
