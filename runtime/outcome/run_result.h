// The result of a run: what --json, --result, the API and the monitor log all show. The normative field
// list is docs/result.schema.json; fields are added, never changed.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "outcome/failure.h"
#include "outcome/test_report.h"
#include "resource/change_list.h"
#include "resource/denial_table.h"

namespace sbx {

// The one ending of a run; the first that happened wins.
enum class Outcome : std::uint8_t {
  exited,
  signaled,
  timed_out,
  cpu_time_exceeded,
  out_of_memory,
  output_limit,
  disk_limit,
  violation,
  rejected,
  cancelled,
  setup_failed,
};
inline constexpr std::array<std::string_view, 11> kOutcomeNames{
    "exited",     "signaled",  "timed_out", "cpu_time_exceeded", "out_of_memory", "output_limit",
    "disk_limit", "violation", "rejected",  "cancelled",         "setup_failed"};
std::string_view outcome_name(Outcome outcome);

// What the kernel counted; missing = the kernel cannot tell (never 0 instead).
struct Usage {
  std::optional<std::uint64_t> wall_ms;
  std::optional<std::uint64_t> user_ms;
  std::optional<std::uint64_t> system_ms;
  std::optional<std::uint64_t> memory_peak_bytes;
  std::optional<std::uint64_t> pids_peak;
  std::optional<std::uint64_t> io_read_bytes;
  std::optional<std::uint64_t> io_write_bytes;
  std::optional<std::uint64_t> throttled_ms;
  std::optional<std::uint64_t>
      workspace_bytes;  // what is in the workspace at the end, earlier runs' included
  std::optional<std::uint64_t> workspace_inodes;  // its files and directories
};

// A captured stream; missing in the result when the stream was passed through.
struct CapturedStream {
  std::string data;
  std::uint64_t bytes = 0;  // written by the program, also those beyond the limit that were seen
  bool truncated = false;
  bool elsewhere = false;  // its bytes are in a spill, and `data` is the end of them
};

// Who asked: a user of this host, or who held a token of that name.
struct Caller {
  std::uint32_t uid = 0;
  std::string token;  // empty: a user
};

// Code that came with the request: what it was, not a copy of it.
struct CodeRecord {
  std::string sha256;  // hexadecimal
  std::uint64_t bytes = 0;
};

// One program in a sandbox of its own, and how it ended.
struct StepResult {
  std::string program = "the program";  // what messages call it
  std::vector<std::string> command;
  std::string cwd;
  Outcome outcome = Outcome::setup_failed;
  std::optional<int> exit_code;
  // The number; shown by name. Of `cancelled`: the signal that cancelled the run (SIGINT exits 130, else
  // 143).
  std::optional<int> signal;
  std::string message;  // one sentence
  std::string step;     // of setup_failed; empty: null
  int step_error = 0;   // errno of that step: 126 or 127 when step is "execve"
  LimitSet limits;
  std::vector<LimitHit> limits_hit;
  std::vector<Denial> denied;  // counted where the policy says so (report_denials)
  Usage usage;
  std::optional<CapturedStream> standard_output;
  std::optional<CapturedStream> standard_error;
  std::optional<Failure> failure;  // none: it ended well
  std::vector<std::pair<std::string, double>> setup_ms;
  std::string started_at;  // RFC 3339 UTC with milliseconds; empty: null (never started)
};

// As many changes a result lists; all are counted.
inline constexpr std::size_t kMostChanges = 1000;

// A run is its program, and what is about both it and the compile step before it. Where that one did not end
// well the program never started, and the run ended as it did.
struct RunResult : StepResult {
  std::string run_id;  // UUIDv7
  std::string task_id;
  std::string project_id;
  std::string sandbox_id;
  std::string mode = "direct";  // "direct" | "supervisor"
  std::string image_name;
  std::string image_digest;  // empty: null (the image `host` has none)
  std::string language;
  std::string action;  // on code of the language; empty: null (a command was run)
  std::optional<CodeRecord> code;
  std::optional<TestCounts> tests;  // of the action test, where its report could be read
  std::optional<StepResult> compile;
  std::string transaction;            // that keeps what it changed in its project; empty: null
  std::optional<ChangeList> changes;  // in its project, that were not kept there; at most kMostChanges
  Caller caller;
  std::string policy_name;
  std::string policy_fingerprint;
  std::vector<std::pair<std::string, std::string>> controls;
  std::vector<std::string> degradations;
  std::vector<std::string> environment_names;  // of the request; values are never recorded
  std::string created_at;
  std::string finished_at;
};

// "completed" (exited with 0), "timeout" (timed_out, cpu_time_exceeded), "error" (all else).
std::string_view result_status(const StepResult& result);

// The exit status of sbxrun for this result (docs/results.md).
int sbxrun_exit_status(const StepResult& result);

// "SIGKILL" for 9; "SIG64" style for real-time signals without a name.
std::string signal_name(int signal);

// One JSON object without a line break, always valid UTF-8. `with_output` adds the captured text of the
// streams (base64 where it is not UTF-8); the monitor log leaves it out.
std::string result_to_json(const RunResult& result, bool with_output);

// The same of changes alone, as `changes` of a result has them.
std::string changes_to_json(const ChangeList& changes);

// Whether `text` is one JSON object, as result_to_json makes them.
bool is_result_json(std::string_view text);

// The object with `more` at the end of its message; as it is where it has none.
std::string with_more_in_message(const std::string& json, std::string_view more);

// Now, as the result writes times: "2026-11-21T10:00:00.123Z".
std::string timestamp_now();

}  // namespace sbx
