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
  if (header.kind == SpillKind::stage) return kStagePiece;
  return header.kind == SpillKind::standard_error || header.kind == SpillKind::error_gap ? 1 : 0;
}

// Nothing: it is not written yet.
Result<std::optional<SpillHeader>> read_header(int fd, std::uint64_t at) {
  SpillHeader header;
  const std::size_t read = TRY(read_at(fd, reinterpret_cast<char*>(&header), sizeof header, at));
  if (read < sizeof header) return std::optional<SpillHeader>();
  if (header.size > kMostPiece || header.kind < SpillKind::standard_output || header.kind > SpillKind::stage)
    return fail("the kept output is spoiled at byte " + std::to_string(at));
  return std::optional(header);
}

}  // namespace

bool SpillReader::knows(const SpillHeader& header) const {
  if (header.kind != SpillKind::stage) {
    const std::uint64_t end = header.offset + (is_gap(header) ? header.missing : header.size);
    return end <= from_.offsets.at(stream_of(header));
  }
  if (from_.stages) return stages_ < *from_.stages;
  const std::array<std::uint64_t, 2> at{header.offset, header.missing};
  return at != from_.offsets && at[0] <= from_.offsets[0] && at[1] <= from_.offsets[1];
}

// Nothing: its bytes are not all there.
Result<std::optional<SpillPiece>> SpillReader::read_piece(const SpillHeader& header) {
  SpillPiece piece;
  piece.stream = stream_of(header);
  piece.offset = header.offset;
  piece.missing = is_gap(header) ? header.missing : 0;
  piece.bytes.resize(header.size);
  if (TRY(read_at(file_.get(), piece.bytes.data(), header.size, at_ + sizeof header)) < header.size)
    return std::optional<SpillPiece>();
  if (piece.stream == kStagePiece || is_gap(header)) return std::optional(std::move(piece));
  if (const std::uint64_t from = from_.offsets.at(piece.stream); from > piece.offset) {
    piece.bytes.erase(0, from - piece.offset);
    piece.offset = from;
  }
  return std::optional(std::move(piece));
}

Result<std::optional<SpillPiece>> SpillReader::next() {
  while (true) {
    const auto header = TRY(read_header(file_.get(), at_));
    if (!header) return std::optional<SpillPiece>();
    std::optional<SpillPiece> piece;
    if (!knows(*header)) {
      piece = TRY(read_piece(*header));
      if (!piece) return std::optional<SpillPiece>();
    }
    at_ += sizeof *header + header->size;
    if (header->kind == SpillKind::stage) ++stages_;
    if (piece) return piece;
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
    if ((*header)->kind != SpillKind::stage)
      bytes.at(stream_of(**header)) =
          (*header)->offset + (is_gap(**header) ? (*header)->missing : (*header)->size);
    at += sizeof **header + (*header)->size;
  }
}

}  // namespace sbx::api
