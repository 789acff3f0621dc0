// The child of a launch: the code that runs between clone3 and the exec of init.
//
// It shares the spawner's memory (CLONE_VM) while the spawner waits for it (CLONE_VFORK), so it may only
// make system calls: everything it needs was made ready before and is in ChildPlan. It tells its fate by
// writing to `failure` and `step_us` there. A test compares the symbols its objects import with a list.
#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <cstdint>

#include "wire/spawner_protocol.h"

namespace sbx {

struct ChildMount {
  MountAction action{};
  int fd = -1;
  std::uint64_t attributes = 0;
  const char* source = nullptr;
  const char* upper_dir = nullptr;
  const char* work_dir = nullptr;
  const char* target = nullptr;
};

struct ChildPlan {
  const char* stage = nullptr;
  const ChildMount* mounts = nullptr;
  std::uint32_t mount_count = 0;
  const int* task_fds = nullptr;
  std::uint32_t task_count = 0;
  const ResourceLimit* limits = nullptr;
  std::uint32_t limit_count = 0;
  const char* hostname = nullptr;
  std::size_t hostname_size = 0;
  int user_namespace_fd = -1;
  int cgroup_namespace_fd = -1;  // -1: a new one
  std::uint32_t init_uid = 0;
  std::uint32_t init_gid = 0;
  sock_fprog filter{};
  bool report_denials = false;
  int control_fd = -1;     // becomes init::kControlFd
  int spawner_pidfd = -1;  // to see whether the spawner still lives

  volatile LaunchFailure* failure = nullptr;
  std::uint32_t* step_us = nullptr;  // kLaunchSteps of them
};

// Never returns: execs init or exits with 127 after filling in the failure.
[[noreturn]] void run_child(void* plan) noexcept;

// The child's mounts (child_mounts.cc), up to the pivot. On failure sets `index`; gives 0 or -errno.
long make_child_mounts(const ChildPlan& plan, int& root_fd, std::uint32_t& index) noexcept;

}  // namespace sbx
