// What sbx needs of a host, as it was found there: plain values. host_checks.h judges them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "resource/cgroup.h"
#include "resource/foreign_ids.h"
#include "resource/id_pool.h"

namespace sbx {

// Something that was really tried, in a child process and in namespaces of its own where it would leave a
// mark.
struct Attempt {
  bool tried = false;    // false: it needs root, or what comes before it failed
  int error_number = 0;  // 0: it worked
  std::string call;      // the one that failed
  [[nodiscard]] bool worked() const { return tried && error_number == 0; }
};

struct CgroupFacts {
  std::optional<CgroupLayout> layout;    // the place that a run would use
  std::string error;                     // why there is none
  bool through_systemd = false;          // a direct run begins again in a scope that systemd gives it
  bool systemd_run = false;              // the program for that is there
  std::vector<std::string> controllers;  // v2: those that groups at that place can have
  std::vector<std::string> read_only;    // directories in which groups would be made, and cannot
  bool kill_file = false;                // cgroup.kill
  bool swap_accounted = false;
  bool swap_on = false;
  bool socket_memory_counted = false;  // v1: memory.kmem.tcp.*; v2 always counts it
};

struct IdMapFacts {
  std::string path;         // as the operator knows it
  std::string file_system;  // "ext4"
  Attempt attempt;
};

// What kernels newer than the oldest tested one may allow.
struct KernelFeatures {
  Attempt id_mapped_tmpfs;
  Attempt erofs_file;         // an EROFS image mounted from a file, without a block device
  Attempt memory_peak_reset;  // memory.peak of a v2 group measured anew
};

struct StateFacts {
  std::string path;
  std::string probed;  // `path`, or the directory above it that exists
  std::uint64_t free_bytes = 0;
  std::optional<std::uint64_t> free_inodes;  // empty: the file system has no fixed number (btrfs)
  bool read_only = false;
  bool no_exec = false;
  bool project_quota = false;  // the file system counts by project
  Attempt loop_devices;
  bool mke2fs = false;
};

struct HostFacts {
  bool root = false;
  std::string kernel;                                       // "6.1.0-18-amd64"
  std::vector<std::pair<std::string, Attempt>> namespaces;  // by the name of their control: "user_ns"
  std::vector<std::pair<std::string, std::uint64_t>> namespace_limits;  // "user.max_user_namespaces"
  CgroupFacts cgroup;
  std::vector<IdMapFacts> id_maps;
  Attempt overlay;
  Attempt overlay_id_mapped;  // over an id-mapped layer
  Attempt procfs;
  Attempt devpts;
  Attempt mqueue;
  Attempt devices;  // the nodes of a /dev of our own
  KernelFeatures features;
  Attempt seccomp;
  std::vector<std::string> seccomp_actions;
  std::uint64_t capabilities = 0;  // the effective set, by bit
  std::uint64_t nofile_hard = 0;
  IdPool pool;
  std::vector<IdRange> foreign_ids;
  std::string foreign_ids_error;  // why they are not known
  StateFacts state;
  bool merged_usr = false;                                    // the image `host` needs it
  std::vector<std::string> missing_programs;                  // of our own
  std::vector<std::string> tools;                             // found in PATH: "buildah"
  std::vector<std::pair<std::string, std::string>> settings;  // "kernel/kptr_restrict" and its value
};

struct HostFactsOptions {
  std::string state_dir;
  std::string cgroup_parent;  // of the configuration; may be empty
  IdPool pool;
  std::string helpers;  // the directory of our own helper programs
};

// Looks, and tries in children that end at once; changes and leaves nothing. For single-threaded callers: it
// forks.
HostFacts gather_host_facts(const HostFactsOptions& options);

}  // namespace sbx
