// Processes of the host as /proc shows them: the tree below one of ours, and those whose command line holds a
// mark that a test gave its program.
#pragma once

#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "support/sandbox.h"

namespace sbx::test {

using std::chrono::milliseconds;

inline milliseconds scaled(milliseconds duration) { return duration * time_scale(); }

// Waits until `done()`; false when it was not within `limit`, which is stretched for slow machines.
template <class F>
bool wait_until(milliseconds limit, F done) {
  const auto deadline = std::chrono::steady_clock::now() + scaled(limit);
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return true;
}

inline std::vector<pid_t> children_of(pid_t parent) {
  const std::string id = std::to_string(parent);
  const std::string text = read_file("/proc/" + id + "/task/" + id + "/children");
  std::vector<pid_t> pids;
  for (const char* at = text.c_str(); *at != '\0';) {
    char* end = nullptr;
    const long pid = std::strtol(at, &end, 10);
    if (end == at) break;
    pids.push_back(static_cast<pid_t>(pid));
    at = *end == ' ' ? end + 1 : end;
  }
  return pids;
}

// The line of our programs below sbxrun: each is the first child of the one before.
enum class Program { sbxrun, direct, spawner, init };

inline const char* program_name(Program program) {
  switch (program) {
  case Program::sbxrun: return "sbxrun";
  case Program::direct: return "sbx-direct";
  case Program::spawner: return "sbx-spawner";
  case Program::init: return "init";
  }
  return "";
}

// Whether it is in another pid namespace than we are.
inline bool is_contained(pid_t pid) {
  std::error_code error;
  const auto theirs = std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/ns/pid", error);
  return !error && theirs != std::filesystem::read_symlink("/proc/self/ns/pid", error);
}

// Its pid, or -1 while it is not there.
inline pid_t find_program(pid_t sbxrun, Program program) {
  pid_t pid = sbxrun;
  for (int level = 1; level <= static_cast<int>(program); ++level) {
    pid_t next = -1;
    for (const pid_t child : children_of(pid)) {
      // Before init the spawner has short-lived helpers.
      if (level < static_cast<int>(Program::init) || is_contained(child)) next = child;
    }
    if (next < 0) return -1;
    pid = next;
  }
  return pid;
}

// A child of ours that was not waited for yet.
inline bool has_ended(pid_t pid) {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == pid;
}

// A number that no other process has on its command line: an argument for sleep(1), in seconds.
inline std::string unique_duration() {
  static unsigned count = 0;
  return "1000.0" + std::to_string(getpid()) + std::to_string(++count) + "7";
}

// Living processes with `mark` on their command line.
inline std::vector<pid_t> processes_with(const std::string& mark) {
  std::vector<pid_t> pids;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    if (read_file(entry.path() / "cmdline").find(mark) != std::string::npos)
      pids.push_back(std::atoi(name.c_str()));
  }
  return pids;
}

// Whether a program with `mark` on its command line runs in a sandbox. (Outside, sbxrun has it there as well,
// and so has for a moment each child of it that has not called exec yet.)
inline bool runs_inside(const std::string& mark) {
  return std::ranges::any_of(processes_with(mark), is_contained);
}

}  // namespace sbx::test
