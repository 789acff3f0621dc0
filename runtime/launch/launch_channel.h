// Who launches sandboxes for a supervisor, and what is told of each: that its init runs, and how that ended.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "wire/spawner_protocol.h"

namespace sbx {

struct InitLaunched {
  UniqueFd pidfd;
  std::array<std::uint32_t, kLaunchSteps> step_us{};
};
struct InitEnded {
  int wait_status = 0;  // waitpid(2)
};
struct LauncherGone {
  std::optional<Error> error;  // missing: it ended
};
using LaunchEvent = std::variant<std::monostate, InitLaunched, LaunchFailure, InitEnded, LauncherGone>;

class LaunchChannel {
 public:
  LaunchChannel() = default;
  LaunchChannel(const LaunchChannel&) = delete;
  LaunchChannel& operator=(const LaunchChannel&) = delete;
  virtual ~LaunchChannel() = default;

  // Readable when there is something to tell; -1: never again.
  [[nodiscard]] virtual int fd() const = 0;
  virtual LaunchEvent read() = 0;
};

// Of a spawner, over its socket; `launch_id` is the launch's.
class SpawnerChannel final : public LaunchChannel {
 public:
  SpawnerChannel(int socket, std::uint64_t launch_id) : socket_(socket), launch_id_(launch_id) {}
  [[nodiscard]] int fd() const override { return gone_ ? -1 : socket_; }
  LaunchEvent read() override;

 private:
  LaunchEvent gone(std::optional<Error> error);

  int socket_;
  std::uint64_t launch_id_;
  bool gone_ = false;
};

// Who starts sandboxes for a supervisor.
class SandboxStarter {
 public:
  SandboxStarter() = default;
  SandboxStarter(const SandboxStarter&) = delete;
  SandboxStarter& operator=(const SandboxStarter&) = delete;
  virtual ~SandboxStarter() = default;

  // `descriptors` in the order of wire/spawner_protocol.h. `last`: it need not start another one. What became
  // of it is told by the channel.
  virtual Result<std::unique_ptr<LaunchChannel>> start(const LaunchPlan& plan,
                                                       const std::vector<int>& descriptors, bool last) = 0;
  // What is said when it is gone before its sandbox.
  [[nodiscard]] virtual Error ended_unexpectedly() const = 0;
};

}  // namespace sbx
