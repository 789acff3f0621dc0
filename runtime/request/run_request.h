// What a caller wants: one command, where and with what. Plain values, not yet allowed by anyone.
// sbxrun makes one from its arguments and sends it over wire/client_protocol.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "wire/wire.h"

namespace sbx {

enum class BindMode : std::uint8_t { read_only, read_write, copy_on_write };
inline constexpr std::array<std::string_view, 3> kBindModes{"ro", "rw", "cow"};

// The flag that asked for a bind, for the words of its errors.
enum class BindFlag : std::uint8_t { bind, volume, here };

constexpr const char* bind_flag_name(BindFlag flag) {
  switch (flag) {
  case BindFlag::bind: break;
  case BindFlag::volume: return "--volume";
  case BindFlag::here: return "--here";
  }
  return "--bind";
}

// A host path shown inside. `host` is absolute; symbolic links in it are the caller's own.
struct BindRequest {
  std::string host;
  std::string inside;
  BindMode mode = BindMode::read_only;
  BindFlag flag = BindFlag::bind;
  bool operator==(const BindRequest&) const = default;
};

// What becomes of what a run changes in its project.
//   persistent   it stays
//   ephemeral    it is thrown away
//   transaction  it waits beside the project until it is committed or discarded
enum class WorkspaceMode : std::uint8_t { persistent, ephemeral, transaction };
inline constexpr std::array<std::string_view, 3> kWorkspaceModeNames{"persistent", "ephemeral",
                                                                     "transaction"};

// Where --here is shown.
inline constexpr std::string_view kHerePlace = "/workspace/project_files";

// How one of the three standard streams reaches the sandbox.
//   pass     the caller's descriptor itself: a pipe, /dev/null or a regular file of one direction
//   relay    a pipe that sbxrun made, and reads or fills itself
//   capture  output only: read into the result by the supervisor, bounded by the output limit
//   null     /dev/null
//   spill    output only: read into a file that the client can follow (wire/spill.h), bounded in the same way
// With `tty` all three are a pty of the sandbox and these do not matter.
enum class StreamMode : std::uint8_t { pass, relay, capture, null, spill };

// What to do with the request.
//   run      run it
//   plan     answer with the plan (--dry-run)
//   explain  answer in words what the sandbox will allow (--explain)
//   keep     make a sandbox without a command, for the many that are to come
enum class RequestAction : std::uint8_t { run, plan, explain, keep };

struct EnvironmentVariable {
  std::string name;
  std::string value;
  bool operator==(const EnvironmentVariable&) const = default;
};

// What to do with code of a language; the image says how (language/runner.h).
enum class LanguageAction : std::uint8_t { run, check, test, format, lint, type_check };
inline constexpr std::array<std::string_view, 6> kLanguageActions{"run",    "check", "test",
                                                                  "format", "lint",  "type-check"};

// A file that the caller hands over: sbxrun reads it with the caller's rights, and it is there inside before
// anything runs.
struct SourceFile {
  std::string name;  // check_source_name
  std::string content;
  bool operator==(const SourceFile&) const = default;
};

inline constexpr std::size_t kMostSourceFiles = 1000;
inline constexpr std::size_t kMostSourceBytes = 4U << 20U;  // of all files together

struct LanguageRequest {
  std::string name;  // of the language, or an alias
  LanguageAction action = LanguageAction::run;
  std::optional<SourceFile> code;  // an empty name: what the language calls it
  std::string path;                // instead of code: what is inside already
  std::vector<SourceFile> files;   // beside the code
  std::vector<std::string> arguments;
  LimitSet compile_limits;  // of the compile step, where there is one: only what the caller asked for
  bool operator==(const LanguageRequest&) const = default;
};

struct RunRequest {
  RequestAction action = RequestAction::run;
  std::vector<std::string> command;         // empty with a language
  std::optional<LanguageRequest> language;  // the image has the command
  std::vector<EnvironmentVariable> environment;
  std::string image = "host";      // empty, only with a language: one that has it
  std::string policy = "default";  // a name, or a file (is_policy_file)
  std::string project;             // empty: a thrown-away workspace
  std::string task_id;
  std::string run_id;        // empty: a new one; only a running supervisor's API chooses
  std::string sandbox_name;  // of one that is kept: its control group and host name; as run_id
  WorkspaceMode workspace_mode = WorkspaceMode::persistent;
  std::string transaction;    // of mode transaction: the one to go on with; empty: a new one
  bool show_changes = false;  // of mode ephemeral: the result lists what would have changed
  std::string session;   // of a living sandbox: its shell of this name runs the command, which is one line
  std::string cwd;       // inside; empty: the policy's default
  std::string hostname;  // empty: the sandbox's name
  LimitSet limits;       // only what the caller asked for
  std::vector<BindRequest> binds;
  std::optional<BindRequest> here;  // --here: binds.host shown at the project_files of the workspace
  std::string hint;                 // sbxrun's words for a command that is not found: "you meant --here"
  bool build = false;               // an image that is missing is built first
  bool tty = false;
  std::uint16_t tty_rows = 24;
  std::uint16_t tty_columns = 80;
  std::array<StreamMode, 3> streams{StreamMode::null, StreamMode::null, StreamMode::null};

  // Where things are; empty: the configuration's, else the default. Only a direct supervisor reads these.
  std::string state_dir;
  std::string run_dir;
  std::string log;
  std::string config;

  bool operator==(const RunRequest&) const = default;
};

// The request of a compile step: no input, its output captured, and limits of its own.
RunRequest compile_request(const RunRequest& request);

// Whether output is read by the supervisor, into the result or into a spill.
bool captures_output(const RunRequest& request);
bool spills_output(const RunRequest& request);
// What its last step is called, behind "compile": the action of a language, else "run".
std::string stage_of(const RunRequest& request);
// Whether the workspace is a project's own, which stays.
bool keeps_workspace(const RunRequest& request);
// Whether what it changes is kept apart on the project's own disk, at least until it ends.
bool branches_workspace(const RunRequest& request);

// A name of a file below the directory with the code: relative, without "." and "..", at most 16 parts deep,
// UTF-8 without control characters, and no option of the program that is to read it. `what` names the flag or
// key in the error.
Result<void> check_source_name(std::string_view what, std::string_view name);

// Lower case, as in "python3.11", "c++" or "c#": 1 to 32 characters of a-z 0-9 + # . _ -, the first of them a
// letter or a digit.
Result<void> check_language_name(std::string_view what, std::string_view name);

std::string encode_run_request(const RunRequest& request);

// Checks the form (sizes, enums, NUL bytes, limits that no sandbox can have), not the permission. The error
// names the field.
Result<RunRequest> decode_run_request(std::string_view bytes);

}  // namespace sbx
