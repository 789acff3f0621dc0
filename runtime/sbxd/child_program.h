// A program of ours that sbxd starts and watches.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx {

class ChildProgram {
 public:
  ChildProgram() = default;

  struct Options {
    int cpu = -1;                            // where it stays; -1: anywhere
    int output = -1;                         // its standard output; -1: /dev/null
    std::vector<std::string> environment{};  // "NAME=value"
  };
  // `command[0]` is its path. It gets /dev/null as its streams but ours for errors, and `descriptors` as 3, 4
  // and so on.
  static Result<ChildProgram> start(const std::vector<std::string>& command,
                                    const std::vector<int>& descriptors, const Options& options);

  [[nodiscard]] bool running() const { return pidfd_.valid(); }
  // Readable at its end.
  [[nodiscard]] int pidfd() const { return pidfd_.get(); }
  [[nodiscard]] pid_t pid() const { return pid_; }
  void signal(int number) const;
  // Waits; in words how it ended.
  std::string reap();

 private:
  pid_t pid_ = -1;
  UniqueFd pidfd_;
};

}  // namespace sbx
