// A child process that gives up its rights before it does what might go wrong, says what came of it, and
// ends.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "base/result.h"

namespace sbx::os {

inline constexpr int kAnswerDescriptor = 0;  // of the child: what it writes there is its answer

struct ConfinedChild {
  std::string name;         // in errors: "its NAME was killed by SIGSEGV"
  std::size_t most_answer;  // bytes
  // In the child, which has a copy of this process's memory: makes `answer` kAnswerDescriptor and gives up
  // what it is not to have. False: it could not.
  std::function<bool(int answer, pid_t parent)> confine;
  std::function<bool()> work;  // behind it; false: the answer could not be written
  std::function<void()> tick;  // here, several times a second while the child works; may be empty
};

// What it wrote. Errors: it could not be confined; it did not come to its end, and how.
Result<std::string> answer_of(const ConfinedChild& child);

// --- parts of `confine` ---

bool limit_resource(__rlimit_resource_t resource, rlim_t value);

// Ends with `parent`, cannot be looked into and gets no rights by exec any more. Behind the last change of
// ids.
bool end_with(pid_t parent);

// EPERM for every system call but these, for ioctl(2) but with these requests, for futex(2) but to wake, and
// for memory that is to be executed: all code that may run is there.
bool allow_calls(std::span<const int> calls, std::span<const unsigned> ioctls = {});

}  // namespace sbx::os
