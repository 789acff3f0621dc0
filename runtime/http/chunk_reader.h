// A chunked body (RFC 9112 section 7.1), one piece after the other. Strict: a size is 1 to 15 hexadecimal
// digits, lines end in CR LF, extensions and trailers are passed over and have a limit together.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace sbx::http {

inline constexpr std::size_t kMaxChunkLine = 4096;     // the size and its extensions; a trailer
inline constexpr std::size_t kMaxTrailerBytes = 8192;  // all trailers

class ChunkReader {
 public:
  // Reads a piece from the front of `input`; returns how many bytes that were. 0: more are needed first, so
  // the next `input` is a longer one. Not to be called after done() or an error.
  Result<std::size_t> read(std::string_view input);
  // What the last read() found of the body: a part of its `input`.
  [[nodiscard]] std::string_view bytes() const { return bytes_; }
  [[nodiscard]] bool done() const { return state_ == State::kDone; }

 private:
  enum class State { kSize, kBytes, kBytesEnd, kTrailer, kDone };
  Result<void> read_size(std::string_view line);

  State state_ = State::kSize;
  std::uint64_t left_ = 0;
  std::size_t trailer_bytes_ = 0;
  std::string_view bytes_;
};

}  // namespace sbx::http
