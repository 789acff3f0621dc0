// The file that a run's output is read into while it runs: records, one after the other, each a header and
// its bytes. Whoever follows it reads from any record to the end, and again when the eventfd says that there
// is more; whole records only are ever to be seen.
#pragma once

#include <cstdint>

namespace sbx {

enum class SpillKind : std::uint32_t {
  standard_output = 1,
  standard_error = 2,
  output_gap = 3,  // `missing` bytes of standard output could not be kept (a full disk)
  error_gap = 4,
  stage = 5,  // a step of the run begins: its name; `offset` and `missing` are how far both streams are
};

struct SpillHeader {
  SpillKind kind{};
  std::uint32_t size = 0;     // bytes that follow
  std::uint64_t offset = 0;   // of the first of them in its stream
  std::uint64_t missing = 0;  // of a gap
  std::int64_t when_ms = 0;   // since 1970, UTC
};

// Below the state directory; the files are named by their run. The API, whose root is kApiDirectory, reads
// and forgets them; nothing else of the state may it see.
inline constexpr const char* kApiDirectory = "api";
inline constexpr const char* kSpillDirectory = "api/output";
inline constexpr const char* kHistoryDirectory = "api/history";  // its own alone

}  // namespace sbx
