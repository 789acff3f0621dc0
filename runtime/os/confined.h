// A reader of what hostile programs wrote, in a process of its own that has no rights: a fault in the reader,
// ours or a library's, then costs an answer and not the host.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"

namespace sbx::os {

// At most so long may an answer be.
inline constexpr std::size_t kMostAnswer = 4096;

// What `reader` returns, cut to kMostAnswer bytes. It runs in a child with this process's memory: as nobody,
// without descriptors, with 2 s of CPU time and 512 MiB, and it can make no system call but those that
// memory and its end take. Errors: it could not be confined; it did not come to its end, and how.
Result<std::string> call_confined(const std::function<std::string()>& reader);

}  // namespace sbx::os
