// What is allowed: one YAML file per policy, every field of it here. docs/policy-reference.md and
// policies/policy.schema.json describe the same fields for people and editors; tests compare the three.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/result.h"

namespace sbx {

// A control that a policy may give up by name (`allow_degraded`) where the host cannot provide it.
// Without the name the run is refused; with it, the result's `degradations` says so.
struct DegradableControl {
  std::string_view name;
  std::string_view meaning;
  std::optional<std::uint64_t> LimitSet::*limit = nullptr;  // the one that is not in force without it
};
inline constexpr std::array<DegradableControl, 8> kDegradableControls{{
    {"memory", "no memory controller: memory is not limited", &LimitSet::memory_bytes},
    {"swap", "memory is limited but swap is not"},
    {"socket_memory", "memory is limited but what waits in TCP and UDP sockets is not"},
    {"pids", "no pids controller: the number of processes is not limited", &LimitSet::pids},
    {"cpu", "no cpu controller: the CPU rate is not limited", &LimitSet::milli_cpus},
    {"cpu_accounting", "CPU time is neither counted nor limited", &LimitSet::cpu_ms},
    {"disk", "the size of a project is not limited", &LimitSet::disk_bytes},
    {"idmapped_mounts", "a source that cannot be id-mapped is shown with its files owned by nobody"},
}};

// A directory of the host that clients of the supervisor who are not root may show in their sandboxes, as far
// as their own rights go (resource/granted_binds.h).
struct BindRoot {
  std::string path;  // absolute, without "." and ".."
  bool writable = false;
  std::vector<std::string> users;  // names or numbers; with no `groups`, too: everybody
  std::vector<std::string> groups;
  bool operator==(const BindRoot&) const = default;
};

// What may be put into the files of a project (project_files/).
struct UploadRules {
  std::optional<std::uint64_t> file_bytes = std::uint64_t{1} << 30U;  // of one file; missing: no limit
  std::vector<std::string> types{"*/*"};  // MIME types as its content shows them, or "text/*", "*/*"
  bool operator==(const UploadRules&) const = default;
};

enum class WorkspaceLayout : unsigned char { split, flat };

struct Policy {
  std::string name;
  std::string description;
  LimitSet limits;                 // defaults; missing: no limit
  LimitSet ceilings;               // the most a request may ask for; missing: no ceiling
  bool wall_time_with_tty = true;  // false: an interactive (-t) run has no wall limit unless it asks for one
  std::string seccomp;             // name of a profile in policies/seccomp
  bool writable_root = false;  // an upper layer over the image, as large as limits.disk_bytes, thrown away
  WorkspaceLayout workspace_layout = WorkspaceLayout::split;  // of projects made under this policy
  std::vector<std::string> allow_degraded;                    // names from kDegradableControls
  bool background_processes = false;  // in a sandbox of many commands: what a command leaves running goes on
  std::vector<BindRoot> bind_roots;
  UploadRules uploads;
  bool report_denials = false;  // refused system calls are counted and told, at a price for each

  std::string path;            // the file it was read from
  std::string fingerprint;     // "sha256:…" of the policy's and the seccomp profile's bytes
  std::string seccomp_path;    // the profile's file
  std::string seccomp_digest;  // blake2b_hex of its bytes
  std::string seccomp_filter;  // compiled from them (policy/seccomp_profile.h)
};

// Reads `name` from the first directory that has NAME.yaml, or the file itself where is_policy_file(name).
// The seccomp profile is looked up as seccomp/PROFILE.yaml beside the policy, then in each directory.
// Errors: unknown key, wrong type, duplicate key, bad value, each with file, line and column; a file found by
// name whose `name` is another; as root, a file that others could change (policy/trusted_file.h); the same of
// the profile, which is compiled here so that a bad one is known before anything is made. ENOENT when there
// is no such policy or profile. With a `cache_dir` the same text is parsed and compiled once only.
Result<Policy> load_policy(std::string_view name, const std::vector<std::string>& directories,
                           const std::string& cache_dir = {});

// The names that load_policy finds there, sorted.
std::vector<std::string> policy_names(const std::vector<std::string>& directories);

// The same from text; `path` is for messages only. The fields from `path` on stay empty.
Result<Policy> parse_policy(std::string_view path, std::string_view text);

}  // namespace sbx
