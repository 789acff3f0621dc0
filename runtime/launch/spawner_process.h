// A spawner as its supervisor sees it.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "launch/launch_channel.h"

namespace sbx {

class SpawnerProcess final : public SandboxStarter {
 public:
  // Starts HELPERS/sbx-spawner with HELPERS/sbx-init as the program of every sandbox's PID 1. Does not wait
  // for its hello.
  static Result<std::unique_ptr<SandboxStarter>> make(const std::string& helpers);
  // Closes the socket, at which the spawner kills what it has and ends, and waits for that.
  ~SpawnerProcess() override;

  [[nodiscard]] Error ended_unexpectedly() const override;
  // After the last one the spawner ends by itself.
  Result<std::unique_ptr<LaunchChannel>> start(const LaunchPlan& plan, const std::vector<int>& descriptors,
                                               bool last) override;

 private:
  SpawnerProcess(pid_t pid, UniqueFd socket) : pid_(pid), socket_(std::move(socket)) {}

  pid_t pid_ = -1;
  UniqueFd socket_;
  std::uint64_t launches_ = 0;
};

}  // namespace sbx
