// What an API and sbx-files say to each other: the program that reads and writes a living sandbox's files for
// it, inside, as the sandbox's user. Each end of two pipes; a frame is a uint32_t, its length, and so many
// bytes.
//
//   API                                          sbx-files
//       │  frame: FileRequest                         │
//       ├───────────────────────────────────────────▶│
//       │  of `write`: frames with the content, and   │
//       │  an empty one when that is all of it        │
//       ├───────────────────────────────────────────▶│
//       │                      frame: FileAnswer      │
//       │◀───────────────────────────────────────────┤
//       │          of `read`: the bytes, without frames │
//       │◀───────────────────────────────────────────┤  and its end
//
// A `write` whose empty frame does not come leaves the file as it was. What the helper says comes out of the
// sandbox: it is checked as a client's bytes are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sbx {

inline constexpr std::uint32_t kMostFilePath = 4095;         // PATH_MAX, without the zero
inline constexpr std::uint32_t kMostFileEntries = 10'000;    // of one list
inline constexpr std::uint32_t kMostFileAnswer = 2U << 20U;  // bytes of a frame
inline constexpr std::uint32_t kMostFilePiece = 64U << 10U;  // of a frame of content

enum class FileOperation : std::uint8_t { read, write, list, stat, remove, directory, move };

struct FileRequest {
  FileOperation operation = FileOperation::stat;
  std::string path;                   // relative: to the sandbox's start directory
  std::string to;                     // move
  std::optional<std::uint64_t> from;  // read: of which byte on
  std::optional<std::uint64_t> most;  // read: how many; without `from`: the last ones
  std::optional<std::uint64_t>
      mode;                // write: permissions; nothing: those of the file that is there, else 0644
  bool parents = false;    // write, directory, move: makes what is missing above
  bool recursive = false;  // remove
  bool replace = false;    // move: also onto a file that is there
  bool follow = false;     // stat: of what a symbolic link leads to
  bool hash = false;       // stat: also of the content
  bool fresh = false;      // write: only where there is no file
  std::string expected;  // write: only where there is one whose content has this SHA-256, in hex; empty: any
  std::string after;     // list: of which name on, in order of their bytes
  std::uint32_t entries = 0;  // list: how many at most

  bool operator==(const FileRequest&) const = default;
};

enum class FileType : std::uint8_t { file, directory, link, fifo, socket, device, other };

struct FileStat {
  FileType type = FileType::other;
  std::uint64_t size = 0;
  std::uint32_t mode = 0;  // the lowest 12 bits
  std::uint32_t uid = 0;   // inside
  std::uint32_t gid = 0;
  std::int64_t changed_ms = 0;  // of its content, since 1970
  std::string target;           // of a link

  bool operator==(const FileStat&) const = default;
};

struct FileEntry {
  std::string name;
  FileStat stat;
  bool operator==(const FileEntry&) const = default;
};

// What could not be done; the names are those of docs/api.md.
enum class FileStep : std::uint8_t {
  none,
  open,
  stat,
  read,
  write,
  rename,
  remove,
  mkdir,
  list,
  type,
  range,
  input,
  condition  // write: the file that is there is not the one expected
};

struct FileAnswer {
  FileStep failed = FileStep::none;
  std::int32_t error_number = 0;  // with `failed`
  bool created = false;           // write, directory: it was not there
  FileStat stat;                  // also of a file of the wrong type, and one that is shorter than a range
  std::string sha256;             // write, and stat with `hash`, of a regular file: in hex; else empty
  std::string name;               // read, of a file of a project: the last part of its path; else empty
  std::string mime;               // of one that the project's list knows, as is sha256 then; else empty
  std::uint64_t from = 0;         // read: of the first byte that follows
  std::optional<std::uint64_t> follow;  // read: how many follow; nothing: as many as there are (/proc)
  std::vector<FileEntry> entries;       // list
  bool more = false;                    // list: there are others behind the last one

  bool operator==(const FileAnswer&) const = default;
};

// "text/plain", as it can stand in a header (RFC 6838 section 4.2).
bool is_media_type(std::string_view text);

const char* file_step_name(FileStep step);

std::string encode_file_request(const FileRequest& request);
Result<FileRequest> decode_file_request(std::string_view bytes);

std::string encode_file_answer(const FileAnswer& answer);
// Strict: names without '/' and zero, in order, sizes that a file can have, times that have a calendar date.
Result<FileAnswer> decode_file_answer(std::string_view bytes);

// The length in front of a frame.
std::string file_frame(std::string_view bytes);

// The exit status of a helper that said why it did not do what it was asked for; 0: it did it.
inline constexpr int kFilesRefused = 3;

// How the helper ended, as the keeper tells it to the API: the value of wire/client_protocol.h's `finished`,
// whose message says the rest.
enum class FilesEnd : std::int32_t {
  done,    // by itself, with 0 or kFilesRefused
  failed,  // in any other way
  not_started,
  too_long,
  out_of_memory,
  sandbox_ended,
};

}  // namespace sbx
