// The limits of a sandbox, as one list: every place that names a limit (flag, policy key, result
// field, message) is generated from or checked against kLimits.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sbx {

enum class LimitUnit { bytes, milliseconds, count, milli_cpus };

// A value that may be missing means "no limit" in a granted set and "not asked" in a request.
struct LimitSet {
  std::optional<std::uint64_t> memory_bytes;  // the whole sandbox, page cache and tmpfs included
  std::optional<std::uint64_t> milli_cpus;    // thousandths of a CPU
  std::optional<std::uint64_t> pids;          // processes and threads, without our init
  std::optional<std::uint64_t> wall_ms;
  std::optional<std::uint64_t> cpu_ms;        // user + system, the whole sandbox's total
  std::optional<std::uint64_t> output_bytes;  // both streams together
  std::optional<std::uint64_t> nofile;        // descriptors per process
  std::optional<std::uint64_t> fsize_bytes;   // size of one file
  std::optional<std::uint64_t> tmp_bytes;     // /tmp, /var/tmp, /dev/shm and HOME together; charged to memory
  std::optional<std::uint64_t> disk_bytes;    // the workspace
  std::optional<std::uint64_t> inodes;        // files and directories of the workspace; the same for tmp

  bool operator==(const LimitSet&) const = default;
};

// A limit that was felt: its name ("pids"), its value in the unit of the name (cpus: thousandths), and how
// far usage came where that can be told.
struct LimitHit {
  std::string limit;
  std::uint64_t value = 0;
  std::optional<std::uint64_t> reached;
  bool operator==(const LimitHit&) const = default;
};

struct LimitField {
  std::string_view name;  // in JSON and messages: "memory_bytes"
  std::string_view key;   // in a policy and as a flag: "memory", "--memory"
  LimitUnit unit;
  std::optional<std::uint64_t> LimitSet::*member;
  std::uint64_t least;         // below it nothing can run
  std::uint64_t most;          // what the kernel or our arithmetic takes
  std::string_view what = {};  // of a count, in the plural: "processes"
};

inline constexpr std::uint64_t kMostBytes = 1ULL << 60U;
inline constexpr std::uint64_t kMostMilliseconds = 100ULL * 365 * 24 * 3'600'000;  // 100 years
inline constexpr std::uint64_t kMostCapturedBytes = 128ULL << 20U;  // of output that the result holds
inline constexpr std::uint64_t kMostPids = 4'194'304 - 1;           // PID_MAX_LIMIT, less our init
inline constexpr std::uint64_t kMostInodes = 1ULL << 40U;
inline constexpr std::uint64_t kMostFiles = 1ULL << 30U;         // fs.nr_open is never above it
inline constexpr std::uint64_t kMostMilliCpus = 8192ULL * 1000;  // CONFIG_NR_CPUS

inline constexpr std::uint64_t kLeastMilliCpus = 10;  // the scheduler's least quota in a period of 100 ms
inline constexpr std::uint64_t kLeastFiles = 16;      // with fewer init could not connect the streams

inline constexpr std::array<LimitField, 11> kLimits{{
    {"memory_bytes", "memory", LimitUnit::bytes, &LimitSet::memory_bytes, 1, kMostBytes},
    {"cpus", "cpus", LimitUnit::milli_cpus, &LimitSet::milli_cpus, kLeastMilliCpus, kMostMilliCpus},
    {"pids", "pids", LimitUnit::count, &LimitSet::pids, 1, kMostPids, "processes"},
    {"wall_ms", "wall-time", LimitUnit::milliseconds, &LimitSet::wall_ms, 1, kMostMilliseconds},
    {"cpu_ms", "cpu-time", LimitUnit::milliseconds, &LimitSet::cpu_ms, 1, kMostMilliseconds},
    {"output_bytes", "output-limit", LimitUnit::bytes, &LimitSet::output_bytes, 1, kMostBytes},
    {"nofile", "nofile", LimitUnit::count, &LimitSet::nofile, kLeastFiles, kMostFiles, "open files"},
    {"fsize_bytes", "fsize", LimitUnit::bytes, &LimitSet::fsize_bytes, 1, kMostBytes},
    {"tmp_bytes", "tmp", LimitUnit::bytes, &LimitSet::tmp_bytes, 1, kMostBytes},
    {"disk_bytes", "disk", LimitUnit::bytes, &LimitSet::disk_bytes, 1, kMostBytes},
    {"inodes", "inodes", LimitUnit::count, &LimitSet::inodes, 1, kMostInodes, "files"},
}};

// Parses and formats a value in the unit of `field`; `what` names the flag or key in the error.
Result<std::uint64_t> parse_limit(const LimitField& field, std::string_view what, std::string_view text);
std::string format_limit(const LimitField& field, std::uint64_t value);

// For people, never without a unit: "64M", "100 bytes", "300ms", "0.5 CPUs", "16 open files".
std::string limit_with_unit(const LimitField& field, std::uint64_t value);

// Whether a value that was not parsed here lies between `least` and `most`.
Result<void> check_limit(const LimitField& field, std::string_view what, std::uint64_t value);

// How "no limit" is written: "none", and "all" for CPUs, so that `cpus: none` is not read as "no CPU".
std::string_view unlimited_word(const LimitField& field);

// By policy key ("wall-time", also with underscores); nullptr when there is none.
const LimitField* find_limit(std::string_view key);

}  // namespace sbx
