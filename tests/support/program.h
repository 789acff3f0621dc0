// Runs a program and keeps what came of it.
#pragma once

#include <signal.h>

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace sbx::test {

struct ProgramOptions {
  std::string input;        // standard input; the pipe is closed after it
  bool null_input = false;  // /dev/null instead of a pipe
  std::vector<std::pair<std::string, std::string>> environment;  // added to ours
  std::vector<std::string> unset;                                // variables taken away
  std::string directory;                                         // where it starts; empty: ours
  std::chrono::milliseconds timeout{120'000};                    // then it is killed and `timed_out` set
  // Called once with the pid right after the start; runs in the test's process.
  std::function<void(pid_t)> after_start;
  // Runs in the child before exec: only async-signal-safe calls.
  std::function<void()> before_exec;
};

struct ProgramResult {
  int exit_status = -1;  // 128+n when it was ended by signal n
  bool timed_out = false;
  std::string out;
  std::string err;
};

ProgramResult run_program(const std::vector<std::string>& arguments, const ProgramOptions& options = {});

}  // namespace sbx::test
