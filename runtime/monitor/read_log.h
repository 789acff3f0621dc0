// The files of a monitor log, as they are at one moment, and their lines.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "monitor/chain.h"

namespace sbx {

struct LogPart {
  std::string path;
  UniqueFd fd;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
};

struct WholeLog {
  std::vector<LogPart> parts;  // the oldest first
  LogHead noted;               // what PATH.lock says
};

// All PATH.N that are there, and PATH: nobody appends or rotates while they are opened, and who writes later
// is not kept from it. A log that is not there has no parts. Errors: it cannot be read, or is no file.
Result<WholeLog> open_log(const std::string& path);

struct LogLine {
  std::string_view text;   // without its end
  std::uint64_t next = 0;  // where the one behind it begins
  bool ended = true;       // false: the last one, which has no end (yet)
};

// Calls `each` with every line behind `offset`.
Result<void> read_lines(const LogPart& part, std::uint64_t offset,
                        const std::function<Result<void>(const LogLine& line)>& each);

}  // namespace sbx
