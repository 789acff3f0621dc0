#include "http/chunk_reader.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace sbx::http {
namespace {

bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }

// The line at the front without its end; an empty optional: it did not all arrive.
Result<std::optional<std::string_view>> line_of(std::string_view input) {
  const std::size_t end = input.find("\r\n");
  if (std::min(end, input.size()) > kMaxChunkLine) return fail("a line of a chunk is longer than 4096 bytes");
  std::string_view line = input.substr(0, end);
  // Of one that did not all arrive the last may be the first of its end.
  if (end == std::string_view::npos && line.ends_with('\r')) line.remove_suffix(1);
  if (std::ranges::any_of(line, is_control)) return fail("a line of a chunk holds a control character");
  return end == std::string_view::npos ? std::nullopt : std::optional(line);
}

}  // namespace

Result<void> ChunkReader::read_size(std::string_view line) {
  const std::size_t digits = std::min(line.find_first_not_of("0123456789abcdefABCDEF"), line.size());
  if (digits == 0 || digits > 15)
    return fail("the size of a chunk is no number of 1 to 15 hexadecimal digits");
  if (digits < line.size() && line[digits] != ';') return fail("something follows the size of a chunk");
  (void)std::from_chars(line.data(), line.data() + digits, left_, 16);
  state_ = left_ == 0 ? State::kTrailer : State::kBytes;
  return {};
}

Result<std::size_t> ChunkReader::read(std::string_view input) {
  bytes_ = {};
  switch (state_) {
  case State::kSize: {
    const auto line = TRY(line_of(input));
    if (!line) return 0U;
    TRY(read_size(*line));
    return line->size() + 2;
  }
  case State::kBytes:
    bytes_ = input.substr(0, std::min<std::uint64_t>(left_, input.size()));
    left_ -= bytes_.size();
    if (left_ == 0) state_ = State::kBytesEnd;
    return bytes_.size();
  case State::kBytesEnd:
    if (!std::string_view("\r\n").starts_with(input.substr(0, 2)))
      return fail("a chunk is longer than its size");
    if (input.size() < 2) return 0U;
    state_ = State::kSize;
    return 2U;
  case State::kTrailer: {
    const auto line = TRY(line_of(input));
    if (!line) return 0U;
    trailer_bytes_ += line->size() + 2;
    if (trailer_bytes_ > kMaxTrailerBytes) return fail("the trailers are longer than 8192 bytes");
    if (line->empty()) state_ = State::kDone;
    return line->size() + 2;
  }
  case State::kDone: break;
  }
  return 0U;
}

}  // namespace sbx::http
