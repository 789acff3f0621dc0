// What every keeper of a nursery is given.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "launch/exec_payload.h"
#include "launch/launch_channel.h"
#include "resource/cgroup.h"
#include "run/settings.h"

namespace sbx {

struct Site {
  const Settings& settings;
  const Result<CgroupLayout>& cgroups;
  const Result<std::unique_ptr<SandboxStarter>>& starter;
  CpuMask cpus{};  // those that programs may use
  std::vector<std::string>
      places{};  // for programs of ours: CONFIG STATE RUN LOG, each empty for the default
};

}  // namespace sbx
