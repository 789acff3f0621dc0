// A run as the monitor log has it: what it is found by and counted with. The rest stays in its line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sbx {

struct RunEntry {
  std::string id;
  std::string task;
  std::string project;
  std::string sandbox;
  std::string image;
  std::string language;
  std::string caller;  // "uid:1000", "token:ci"
  std::string outcome;
  std::string status;           // completed, error, timeout
  std::string failure;          // class of it; empty: none
  std::int64_t created_ms = 0;  // since 1970, UTC
  std::int64_t finished_ms = 0;
  // Nothing: the kernel did not tell, or it did not begin.
  std::optional<std::int64_t> waited_ms;  // from when it was asked for to the start of its program
  std::optional<std::int64_t> wall_ms;
  std::optional<std::int64_t> cpu_ms;
  std::optional<std::int64_t> memory_bytes;  // peak
  std::optional<std::int64_t> pids;          // peak
  std::string json;                          // the line, without its link of the chain

  // What has no column of its own.
  std::vector<std::string> limits_hit;       // their names
  std::uint64_t denied = 0;                  // system calls
  std::optional<std::int64_t> output_bytes;  // of both streams
  std::string signal;                        // that ended it, where one did
  std::string place;                         // "FILE:LINE" where it failed
};

// Of a line of the monitor log; nothing: it is an event, or no line of ours.
std::optional<RunEntry> run_in_line(std::string_view line);

}  // namespace sbx
