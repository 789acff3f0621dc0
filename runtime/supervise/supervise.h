// Watches one run from its launch to the end of its last process: deadlines, limits that the kernel does not
// end a run for, captured output, the caller's signals. Works on descriptors and plain values, and owns no
// sandbox resource but the pipes.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/limits.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "resource/cgroup.h"
#include "supervise/ending.h"
#include "wire/spawner_protocol.h"

namespace sbx {

struct CapturePipe {
  UniqueFd fd;  // our end; invalid: this stream is not captured
  std::string data;
  std::uint64_t bytes = 0;
  bool truncated = false;
};

struct SuperviseInput {
  int client = -1;  // sbxrun's socket; -1: nobody to listen to
  int spawner = -1;
  int init = -1;  // our end of init's socket
  std::uint64_t launch_id = 0;
  std::int64_t launched_ns = 0;  // CLOCK_MONOTONIC, before the launch was sent: nothing of the run is earlier
  bool tty = false;
  SandboxCgroup* cgroup = nullptr;
  LimitSet limits;
  std::array<CapturePipe, 2> captures;  // standard output, standard error
};

struct SuperviseReport {
  Ending ending;
  bool started = false;
  std::int64_t started_ns = 0;  // CLOCK_MONOTONIC; 0: never started
  std::int64_t ended_ns = 0;
  bool spawner_ended = false;      // and nothing else had ended the run before
  bool abandoned = false;          // killed, but not seen to be gone in time: the next start sweeps it
  int late_signal = 0;             // of the caller, when the command had ended already; 0: none
  std::uint64_t output_bytes = 0;  // captured, or as sbxrun told when it relayed too much
  std::array<std::uint32_t, kLaunchSteps> step_us{};
  std::array<CapturePipe, 2> captures;
};

// Returns when every process of the sandbox is gone, or can not be told to be (the spawner died; removing the
// cgroup tells then). The launch was sent to the spawner already.
SuperviseReport supervise(SuperviseInput input);

}  // namespace sbx
