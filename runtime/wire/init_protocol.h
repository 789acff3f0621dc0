// What the supervisor and a sandbox's init (PID 1) say to each other, over a SOCK_SEQPACKET socket pair.
//
//   supervisor                                   init
//       │  Exec + descriptors (payload, streams)   │
//       ├─────────────────────────────────────────▶│  vfork, drop rights, execve
//       │                                  Started │
//       │◀─────────────────────────────────────────┤  or ExecFailed{step, errno}
//       │  Signal{number}                          │  (with tty: Started carries the pty's master)
//       ├─────────────────────────────────────────▶│  kill
//       │                           Exited{status} │
//       │◀─────────────────────────────────────────┤  then, unless more may come (kExecStays), init ends,
//                                                     and with it the PID namespace
//
// Each message names its exec; many run at once where the first of them stays. The socket's end is the death
// signal of both: init ends at end-of-file. Plain structs, because init has no C library; the payload of Exec
// is a sealed memfd laid out by exec_payload.h. The parent believes nothing here beyond what the table of
// each message says, and reads each kind at most once per exec.
#pragma once

#include <stdint.h>

namespace sbx::init {

inline constexpr uint32_t kVersion = 3;
inline constexpr int kControlFd = 3;        // init's end of the socket
inline constexpr int kListenerFd = 5;       // where refused system calls are told, if they are
inline constexpr uint32_t kMostExecs = 64;  // at once

enum class MessageType : uint32_t { exec = 1, signal = 2, started = 3, exec_failed = 4, exited = 5 };

struct Message {
  uint32_t version = kVersion;
  MessageType type{};
  int32_t value = 0;  // exec: flags · signal: number · exec_failed: errno · exited: wait status (waitpid(2))
  uint32_t step = 0;    // exec: tasks files that are sent · exec_failed: LaunchStep
  int64_t when_ns = 0;  // started, exited: CLOCK_MONOTONIC
  uint32_t exec = 0;    // which: a number of the supervisor's
  uint32_t reserved = 0;
};

// Flags of exec.
inline constexpr uint32_t kExecTty = 1;       // make a pty inside; no stream descriptors are sent
inline constexpr uint32_t kExecDenials = 2;   // from now on count refused system calls (wire/denials.h)
inline constexpr uint32_t kExecStays = 4;     // the sandbox does not end with this command
inline constexpr uint32_t kExecGroup = 8;     // start it in a control group of its own
inline constexpr uint32_t kExecProgram = 16;  // the program is a descriptor, and none of the candidates

// Exec: Message with value = flags, and as SCM_RIGHTS the payload memfd, then (without kExecTty) the
// three standard streams, then (with kExecDenials) the table and the filter, then (with kExecGroup) the
// directory of a group in the v2 hierarchy, then (with kExecProgram) the program, then `step` v1 tasks files.
// With kExecGroup init makes a clone3 that the sandbox's filter lets only it make (policy/exec_filter.h).
inline constexpr uint32_t kExecMostTaskFiles = 4;
inline constexpr unsigned kExecMaxDescriptors = 8 + kExecMostTaskFiles;

// The payload: this header, then argc+1, envc+1 and candidates+1 offsets (uint64_t from the start of the
// payload, the last of each list 0), then the strings, each with its NUL. `candidates` are the paths to
// try for argv[0], in order of PATH.
struct ExecPayload {
  uint32_t version = kVersion;
  uint32_t argc = 0;
  uint32_t envc = 0;
  uint32_t candidates = 0;
  uint32_t uid = 0;  // inside
  uint32_t gid = 0;
  uint32_t cwd_offset = 0;
  uint32_t tty_rows = 0;
  uint32_t tty_columns = 0;
  uint32_t reserved = 0;
  uint64_t cpu_mask[16] = {};  // sched_setaffinity(2), 1024 CPUs
};

}  // namespace sbx::init
