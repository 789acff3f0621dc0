// Starts sandboxes as a spawner does, in the process that supervises them: for a keeper, which is as small
// and single-threaded as one.
#pragma once

#include "launch/launch_channel.h"
#include "launch/mount_template.h"

namespace sbx {

class InProcessStarter final : public SandboxStarter {
 public:
  explicit InProcessStarter(MountTemplate mounts) : mounts_(std::move(mounts)) {}
  // Descriptor kInitProgramFd is init's program (wire/spawner_protocol.h).
  Result<std::unique_ptr<LaunchChannel>> start(const LaunchPlan& plan, const std::vector<int>& descriptors,
                                               bool last) override;
  [[nodiscard]] Error ended_unexpectedly() const override { return {"the sandbox's init was lost", 0}; }

 private:
  MountTemplate mounts_;
};

}  // namespace sbx
