// How a run ended, as the supervisor saw it; outcome/decide_outcome makes the verdict from it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "wire/steps.h"

namespace sbx {

// What ended the run; the first that happened wins.
struct Ending {
  enum class Cause : std::uint8_t {
    command_exited,  // wait_status is the command's
    exec_failed,     // init could not start the command: failure
    launch_failed,   // the spawner or the child failed: failure
    init_died,       // init ended without a word; wait_status is init's
    wall_time,
    cpu_time,
    out_of_memory,
    output_limit,
    cancelled,        // `signal` from the caller, or 0: the caller went away, or `text` says why
    supervisor_error  // ours: text
  };
  Cause cause = Cause::init_died;
  bool command_ended = false;  // the command was seen to end: wait_status is its own
  int wait_status = 0;
  int signal = 0;
  LaunchFailure failure;
  std::string text;
};

}  // namespace sbx
