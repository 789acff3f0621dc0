// A spawner as its supervisor sees it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "wire/spawner_protocol.h"

namespace sbx {

class SpawnerProcess {
 public:
  // Starts HELPERS/sbx-spawner with HELPERS/sbx-init as the program of every sandbox's PID 1. Does not wait
  // for its hello.
  static Result<SpawnerProcess> start(const std::string& helpers);
  SpawnerProcess(SpawnerProcess&& other) noexcept : pid_(other.pid_), socket_(std::move(other.socket_)) {
    other.pid_ = -1;
  }
  SpawnerProcess& operator=(SpawnerProcess&&) = delete;
  SpawnerProcess(const SpawnerProcess&) = delete;
  SpawnerProcess& operator=(const SpawnerProcess&) = delete;
  // Closes the socket, at which the spawner kills what it has and ends, and waits for that.
  ~SpawnerProcess();

  [[nodiscard]] int socket() const { return socket_.get(); }
  // What is said of one whose end of the socket is closed.
  [[nodiscard]] Error ended_unexpectedly() const;

  // `descriptors` in the order of wire/spawner_protocol.h. `last`: the spawner ends when this sandbox has.
  Result<void> launch(std::uint64_t id, const LaunchPlan& plan, const std::vector<int>& descriptors,
                      bool last) const;

 private:
  SpawnerProcess(pid_t pid, UniqueFd socket) : pid_(pid), socket_(std::move(socket)) {}

  pid_t pid_ = -1;
  UniqueFd socket_;
};

}  // namespace sbx
