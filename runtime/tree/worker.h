// Works in trees that guests wrote: in a child process that sees nothing else.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include "base/result.h"

namespace sbx::tree {

// At most so long may an answer be.
inline constexpr std::size_t kMostWorkAnswer = 256U << 20U;

// What `work` returns. It runs in a child with a copy of this process's memory, whose root and working
// directory is `top`, as `owner`; of root's rights it has those over permissions of files (CAP_DAC_OVERRIDE,
// capabilities(7)), and no descriptor of this process. It can make no system call but those that files,
// memory and its end take, and ends with this process. Errors: those of `work`; it could not be confined;
// it did not come to its end, and how.
Result<std::string> work_in(int top, uid_t owner, const std::function<Result<std::string>()>& work);

}  // namespace sbx::tree
