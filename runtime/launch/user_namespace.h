// User namespaces as id maps: for a sandbox to join, and for id-mapped mounts (user_namespaces(7),
// mount_setattr(2)). Nothing lives in them yet; they stay while a descriptor or a process refers to them.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "wire/spawner_protocol.h"

namespace sbx {

// Written by us, the privileged parent, so that setgroups(2) stays possible inside until the filter
// refuses it. Its owner is the first outside uid of the map: what the kernel counts for each user and also
// for the owner of the user's namespace (inotify instances and watches, pending signals, message queues;
// user_namespaces(7), "/proc/sys/user") is so counted for this sandbox and not for the host's root.
// Single-threaded callers only: a helper child shares our memory, and our effective uid changes, for a
// moment. The caller's death signal is SIGKILL afterwards.
Result<UniqueFd> make_user_namespace(const IdMap& map);

}  // namespace sbx
