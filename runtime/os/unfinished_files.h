// What replace_file (os/file.h) leaves when its process is killed.
#pragma once

#include <cstddef>

#include "base/result.h"

namespace sbx::os {

// Removes from a directory the new files of replace_file whose processes are gone; how many. One of a process
// that is not seen from here (another pid namespace) goes, too, and its replace_file fails.
Result<std::size_t> remove_unfinished_files(int directory);

}  // namespace sbx::os
