// Reads the output of a run from its file (wire/spill.h), while it is written and after.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "wire/spill.h"

namespace sbx::api {

struct SpillPiece {
  std::size_t stream = 0;  // 0 standard output, 1 standard error
  std::uint64_t offset = 0;
  std::string bytes;
  std::uint64_t missing = 0;  // then it is a gap, without bytes
};

class SpillReader {
 public:
  // `file` is its own: its position is not used.
  explicit SpillReader(UniqueFd file) : file_(std::move(file)) {}

  // Of each stream nothing before that offset is told.
  void skip_to(std::array<std::uint64_t, 2> offsets) { from_ = offsets; }

  // The next piece that is there; nothing: it is not written yet, or never will be.
  Result<std::optional<SpillPiece>> next();

 private:
  UniqueFd file_;
  std::uint64_t at_ = 0;
  std::array<std::uint64_t, 2> from_{};
};

// All of one stream, at most `most` bytes of it; of what is missing nothing.
Result<std::string> read_spilled(UniqueFd file, std::size_t stream, std::size_t most);

// How much there is of both streams, with what is missing.
std::array<std::uint64_t, 2> count_spilled(UniqueFd file);

}  // namespace sbx::api
