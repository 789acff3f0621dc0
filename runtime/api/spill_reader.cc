#include "api/spill_reader.h"

#include <unistd.h>

#include <cerrno>

namespace sbx::api {
namespace {

constexpr std::uint32_t kMostPiece = 1U << 20U;  // a keeper writes what it reads at once: 64 KiB

// Fewer than asked: the file ends there.
Result<std::size_t> read_at(int fd, char* to, std::size_t size, std::uint64_t at) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count = pread(fd, to + done, size - done, static_cast<off_t>(at + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(system_error("read", "the kept output", errno));
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

bool is_gap(const SpillHeader& header) {
  return header.kind == SpillKind::output_gap || header.kind == SpillKind::error_gap;
}

std::size_t stream_of(const SpillHeader& header) {
  return header.kind == SpillKind::standard_error || header.kind == SpillKind::error_gap ? 1 : 0;
}

// Nothing: it is not written yet.
Result<std::optional<SpillHeader>> read_header(int fd, std::uint64_t at) {
  SpillHeader header;
  const std::size_t read = TRY(read_at(fd, reinterpret_cast<char*>(&header), sizeof header, at));
  if (read < sizeof header) return std::optional<SpillHeader>();
  if (header.size > kMostPiece || header.kind < SpillKind::standard_output ||
      header.kind > SpillKind::error_gap)
    return fail("the kept output is spoiled at byte " + std::to_string(at));
  return std::optional(header);
}

}  // namespace

Result<std::optional<SpillPiece>> SpillReader::next() {
  while (true) {
    const auto read = TRY(read_header(file_.get(), at_));
    if (!read) return std::optional<SpillPiece>();
    const SpillHeader& header = *read;
    const bool gap = is_gap(header);
    SpillPiece piece;
    piece.stream = stream_of(header);
    piece.offset = header.offset;
    piece.missing = gap ? header.missing : 0;
    const std::uint64_t end = header.offset + (gap ? header.missing : header.size);
    const bool wanted = end > from_[piece.stream];
    if (wanted) {
      piece.bytes.resize(header.size);
      if (TRY(read_at(file_.get(), piece.bytes.data(), header.size, at_ + sizeof header)) < header.size)
        return std::optional<SpillPiece>();
    }
    at_ += sizeof header + header.size;
    if (!wanted) continue;
    if (const std::uint64_t from = from_[piece.stream]; !gap && from > piece.offset) {
      piece.bytes.erase(0, from - piece.offset);
      piece.offset = from;
    }
    return std::optional(std::move(piece));
  }
}

Result<std::string> read_spilled(UniqueFd file, std::size_t stream, std::size_t most) {
  SpillReader reader(std::move(file));
  std::string text;
  while (auto piece = TRY(reader.next())) {
    if (piece->stream != stream) continue;
    text += piece->bytes;
    if (text.size() > most) return text.erase(most), text;
  }
  return text;
}

std::array<std::uint64_t, 2> count_spilled(UniqueFd file) {
  std::array<std::uint64_t, 2> bytes{};
  for (std::uint64_t at = 0;;) {
    const auto header = read_header(file.get(), at);
    if (!header || !*header) return bytes;
    bytes.at(stream_of(**header)) =
        (*header)->offset + (is_gap(**header) ? (*header)->missing : (*header)->size);
    at += sizeof **header + (*header)->size;
  }
}

}  // namespace sbx::api
