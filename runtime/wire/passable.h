// Which descriptors may be handed to a sandbox as a standard stream. sbxrun asks to decide, the supervisor
// asks again because it trusts no client.
#pragma once

#include "base/result.h"

namespace sbx {

// For stream `index` (0, 1, 2): a pipe or a regular file open in that direction only, or /dev/null. Anything
// else could be a way out of the sandbox (/proc/self/fd/0/.. of a directory) and is refused with the reason.
Result<void> check_passable(int fd, int index);

}  // namespace sbx
