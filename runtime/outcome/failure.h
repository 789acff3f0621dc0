// Why a run failed, as one word of a closed list, with what can be done about it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sbx {

// docs/failures.md says when each is given. The list is closed: what fits none of them is `unknown`.
enum class FailureClass : std::uint8_t {
  rejected,
  setup_failed,
  cancelled,
  timeout,
  cpu_time_limit,
  out_of_memory,
  output_limit,
  disk_full,
  file_size_limit,
  process_limit,
  open_files_limit,
  violation,
  segmentation_fault,
  bus_error,
  illegal_instruction,
  arithmetic_fault,
  abort,
  killed,
  missing_command,
  not_executable,
  missing_module,
  missing_file,
  permission_denied,
  read_only,
  network,
  syntax_error,
  compile_error,
  type_error,
  lint,
  test_failure,
  assertion,
  stack_overflow,
  uncaught_exception,
  unknown,
};
inline constexpr std::array<std::string_view, 34> kFailureClassNames{"rejected",
                                                                     "setup_failed",
                                                                     "cancelled",
                                                                     "timeout",
                                                                     "cpu_time_limit",
                                                                     "out_of_memory",
                                                                     "output_limit",
                                                                     "disk_full",
                                                                     "file_size_limit",
                                                                     "process_limit",
                                                                     "open_files_limit",
                                                                     "violation",
                                                                     "segmentation_fault",
                                                                     "bus_error",
                                                                     "illegal_instruction",
                                                                     "arithmetic_fault",
                                                                     "abort",
                                                                     "killed",
                                                                     "missing_command",
                                                                     "not_executable",
                                                                     "missing_module",
                                                                     "missing_file",
                                                                     "permission_denied",
                                                                     "read_only",
                                                                     "network",
                                                                     "syntax_error",
                                                                     "compile_error",
                                                                     "type_error",
                                                                     "lint",
                                                                     "test_failure",
                                                                     "assertion",
                                                                     "stack_overflow",
                                                                     "uncaught_exception",
                                                                     "unknown"};
std::string_view failure_class_name(FailureClass kind);

// Who says so. A program can write anything and exit with any number; the first two it cannot make up.
enum class FailureSource : std::uint8_t {
  kernel,     // a signal, or what the kernel counted
  outcome,    // what the supervisor did or saw: a limit of its own, a step of the launch, a refusal
  exit_code,  // the number by its convention (127, 128+n), or that it is not 0
  output,     // a line that the program wrote, or a report of its tests
};
inline constexpr std::array<std::string_view, 4> kFailureSourceNames{"kernel", "outcome", "exit_code",
                                                                     "output"};
std::string_view failure_source_name(FailureSource source);

// As the output names it: a path inside the sandbox, not looked for.
struct FailurePlace {
  std::string file;
  std::uint64_t line = 0;
  std::optional<std::uint64_t> column;
  bool operator==(const FailurePlace&) const = default;
};

// A line that a program wrote: valid UTF-8 without control characters, bounded.
struct FailureEvidence {
  std::string stream;  // "stdout" | "stderr"
  std::string text;
  bool operator==(const FailureEvidence&) const = default;
};

// `subject` and `hint` hold what the program wrote only where `from` is `output`; `evidence` and `place`
// always do.
struct Failure {
  FailureClass kind = FailureClass::unknown;
  FailureSource from = FailureSource::exit_code;
  bool output_read = false;  // false: it was passed on, and nobody could look
  std::string subject;       // what it is about: a module, a command, a type of exception; or empty
  std::optional<FailureEvidence> evidence;
  std::optional<FailurePlace> place;
  std::string hint;  // what to do
  bool operator==(const Failure&) const = default;
};

}  // namespace sbx
