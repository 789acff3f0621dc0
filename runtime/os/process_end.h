// How a process ended, in words.
#pragma once

#include <sys/types.h>

#include <string>

namespace sbx::os {

// "exited with status 1" or "was killed by SIGKILL", of a child of ours, which is waited for until it has
// ended and stays to be waited for. Empty when it is no child of ours (any more).
std::string how_it_ended(pid_t child);

}  // namespace sbx::os
