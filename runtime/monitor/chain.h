// The chain of the monitor log: each line ends with its number and the hash of the line before it, so that a
// line that was changed, taken out or put elsewhere is seen by the next one. Who may write the log can make a
// whole chain anew: against that its head has to be kept elsewhere (docs/monitor.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sbx {

// What a line has of the chain.
struct LogLink {
  std::uint64_t seq = 0;  // from 1 on, over all files
  std::string prev;       // hash of the line before; of the first one: kNoLine
  bool operator==(const LogLink&) const = default;
};

// In the place of a hash where there is no line: 64 zeros.
extern const std::string kNoLine;

// `record`, an object of JSON on one line, with the link as its last two members. Error: it is no such thing.
Result<std::string> with_link(std::string_view record, const LogLink& link);
// Nothing: it has none. `line`: without its end.
std::optional<LogLink> link_of(std::string_view line);
// SHA-256 of its bytes without its end, in lower-case hex.
std::string hash_of_line(std::string_view line);

// How far the chain goes, and what could not be written: in PATH.lock, which whoever appends has locked.
struct LogHead {
  std::uint64_t seq = 0;
  std::string hash;         // of the last line; empty: there was none yet
  std::uint64_t inode = 0;  // of the file that has it
  std::uint64_t size = 0;   // of that file then
  std::uint64_t lost = 0;   // lines that could not be written since, because of
  int error_number = 0;
  std::int64_t lost_since_ms = 0;
  bool operator==(const LogHead&) const = default;
};

// Of one length, so that a full disk has room for it.
std::string encode_log_head(const LogHead& head);
// Of what is no head: an empty one.
LogHead decode_log_head(std::string_view text);

}  // namespace sbx
