// A block device over a file (loop(4)), with a device node of its own: a container's /dev may have none.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx::os {

struct LoopDevice {
  UniqueFd node;       // a detached mount that holds nothing but the device node
  UniqueFd device;     // keeps it attached until somebody has mounted it
  std::string source;  // the node as a path for fsconfig(2), good while `node` is open
};

// The device over the file that is named `file_name` by the kernel's table and `name` (at most 63 bytes) by
// us; empty when there is none.
Result<std::optional<LoopDevice>> find_loop_device(const std::string& file_name, const std::string& name);

// A new one over `file`, named `name`. It detaches itself when nobody uses it any more, also after a kill -9
// (LO_FLAGS_AUTOCLEAR).
Result<LoopDevice> attach_loop_device(int file, const std::string& name);

}  // namespace sbx::os
