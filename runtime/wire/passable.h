// Which descriptors may be handed to a sandbox as a standard stream. sbxrun asks to decide, the supervisor
// asks again because it trusts no client.
#pragma once

#include "base/result.h"

namespace sbx {

// For stream `index` (0, 1, 2): an anonymous pipe open in that direction only, /dev/null, or for standard
// input a regular file open for reading that others may not write. Anything else could be a way out
// (/proc/self/fd/0/.. of a directory), or be opened anew through /proc/self/fd in a way that it was not
// handed over in: a log that
// `>>log` appends to could be read and rewritten. It is refused with the reason, and relayed by sbxrun.
Result<void> check_passable(int fd, int index);

}  // namespace sbx
