// Watches one run from its launch to the end of its last process: a sandbox, and the one program in it.
#pragma once

#include <array>
#include <cstdint>

#include "base/limits.h"
#include "launch/launch_channel.h"
#include "resource/cgroup.h"
#include "supervise/execution.h"
#include "wire/spawner_protocol.h"

namespace sbx {

struct SuperviseInput {
  int client = -1;  // sbxrun's socket; -1: nobody to listen to
  LaunchChannel& launch;
  int init = -1;                 // our end of init's socket
  std::int64_t launched_ns = 0;  // CLOCK_MONOTONIC, before the launch was sent: nothing of the run is earlier
  bool tty = false;
  SandboxCgroup* cgroup = nullptr;
  LimitSet limits = {};
  std::array<CapturePipe, 2> captures = {};  // standard output, standard error
  Spill* spill = nullptr;
};

struct SuperviseReport : ExecutionReport {  // abandoned: the next start sweeps it
  bool spawner_ended = false;               // and nothing else had ended the run before
  std::array<std::uint32_t, kLaunchSteps> step_us{};
};

// Returns when every process of the sandbox is gone, or can not be told to be. The launch was sent to the
// spawner already.
SuperviseReport supervise(SuperviseInput input);

}  // namespace sbx
