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

// Up to where somebody knows it already.
struct SpillPlace {
  std::array<std::uint64_t, 2> offsets{};   // of both streams
  std::optional<std::uint64_t> stages = 0;  // how many; nothing: those before these offsets
  bool operator==(const SpillPlace&) const = default;
};

inline constexpr std::size_t kStagePiece = 2;

struct SpillPiece {
  std::size_t stream = 0;  // 0 standard output, 1 standard error, kStagePiece
  std::uint64_t offset = 0;
  std::string bytes;          // of a stage its name
  std::uint64_t missing = 0;  // then it is a gap, without bytes
};

class SpillReader {
 public:
  // `file` is its own: its position is not used.
  explicit SpillReader(UniqueFd file) : file_(std::move(file)) {}

  // What is before it is not told.
  void skip_to(SpillPlace place) { from_ = place; }
  // How many it has passed.
  [[nodiscard]] std::uint64_t stages() const { return stages_; }

  // The next piece that is there; nothing: it is not written yet, or never will be.
  Result<std::optional<SpillPiece>> next();

 private:
  UniqueFd file_;
  [[nodiscard]] bool knows(const SpillHeader& header) const;
  Result<std::optional<SpillPiece>> read_piece(const SpillHeader& header);

  std::uint64_t at_ = 0;
  std::uint64_t stages_ = 0;
  SpillPlace from_;
};

// All of one stream, at most `most` bytes of it; of what is missing nothing.
Result<std::string> read_spilled(UniqueFd file, std::size_t stream, std::size_t most);

// How much there is of both streams, with what is missing.
std::array<std::uint64_t, 2> count_spilled(UniqueFd file);

}  // namespace sbx::api
