// Starting a program the cheapest way there is and waiting for its end; what the benchmark times.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx::bench {

struct Command {
  std::vector<std::string> arguments;    // the first is a path, not looked up in PATH
  std::vector<std::string> environment;  // all of it, "NAME=value"
  int mount_namespace = -1;              // entered before exec; borrowed; -1: ours
};

// Borrowed descriptors for 0, 1 and 2.
struct Streams {
  int input;
  int output;
  int error;
};

struct Child {
  pid_t pid = -1;
  UniqueFd pidfd;
};

// vfork(2) and execve(2). The child must be waited for. Error: what failed before the program ran.
Result<Child> start(const Command& command, const Streams& streams);

// The wait status. A child that outlives `limit` is killed, which its status then shows.
Result<int> wait_for(const Child& child, std::chrono::milliseconds limit);

// Whether the child ended within `patience`; it stays to be waited for.
bool has_ended(const Child& child, std::chrono::milliseconds patience);

// "exit status 3", "killed by signal 9"; empty: exit status 0.
std::string describe_failure(int wait_status);

// One run with the streams at /dev/null: from just before vfork until waitpid has returned.
struct Timing {
  std::chrono::nanoseconds wall{};
  int wait_status = 0;
};
Result<Timing> run_timed(const Command& command);

// One run that is not timed, with what it wrote on standard output and standard error.
struct Trial {
  int wait_status = 0;
  std::string output;
};
Result<Trial> run_trial(const Command& command);

// The path of `name` in PATH and in the administrators' directories, which many users lack there.
std::optional<std::string> find_program(const std::string& name);

}  // namespace sbx::bench
