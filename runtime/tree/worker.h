// Works in trees that guests wrote: in a child process that sees nothing else.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"

namespace sbx::tree {

// At most so long may an answer be.
inline constexpr std::size_t kMostWorkAnswer = 256U << 20U;

using Work = std::function<Result<std::string>()>;

// Of root's rights, those that a worker keeps (capabilities(7)).
enum class Rights : std::uint8_t {
  all_files,   // CAP_DAC_OVERRIDE: no permission is in its way
  read_files,  // CAP_DAC_READ_SEARCH: it reads all, writes what the owner may, and can give a file without
               // a name one (linkat(2), AT_EMPTY_PATH)
};

// Descriptors of a worker, where it is given them.
inline constexpr int kContentIn = 3;
inline constexpr int kContentOut = 4;
inline constexpr int kLock = 5;

struct Worker {
  uid_t owner = 0;  // whom it works as
  Rights rights = Rights::all_files;
  int content_in = -1;
  int content_out = -1;
  int lock = -1;                    // what it locks by flock(2) stays locked until this one is closed, too
  std::uint64_t cpu_seconds = 600;  // more than the largest project takes
  std::uint64_t memory_bytes = 0;   // of its address space; 0: no limit
  std::function<void()> tick;       // called here several times a second; may be empty
};

// What `work` returns. It runs in a child with a copy of this process's memory, whose root and working
// directory is `top`, and which has no descriptor of this process but those of `worker`. It can make no
// system call but those that files, memory and its end take, execute nothing that was not there before, and
// ends with this process. Errors: those of `work`; it could not be confined; it did not come to its end, and
// how.
Result<std::string> work_in(int top, const Worker& worker, const Work& work);
Result<std::string> work_in(int top, uid_t owner, const Work& work);

}  // namespace sbx::tree
