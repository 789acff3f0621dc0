// How sbxrun reaches a supervisor: sbxd's socket, or a direct supervisor of its own.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"
#include "options.h"

namespace sbx::sbxrun {

// Our own supervisor. Waited for: when sbxrun has ended, nothing of its run is left.
class DirectSupervisor {
 public:
  DirectSupervisor() = default;
  explicit DirectSupervisor(pid_t pid) : pid_(pid) {}
  DirectSupervisor(DirectSupervisor&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  DirectSupervisor& operator=(DirectSupervisor&& other) noexcept {
    std::swap(pid_, other.pid_);
    return *this;
  }
  ~DirectSupervisor();

  // SIGKILL: its spawner and the sandbox end with it. Nothing where sbxd serves us.
  void kill() const;
  // False: sbxd serves us.
  [[nodiscard]] bool is_ours() const { return pid_ > 0; }
  // How it ended, once it closed its socket: "killed by SIGSEGV". Empty where sbxd serves us.
  [[nodiscard]] std::string how_it_ended() const;

 private:
  pid_t pid_ = -1;  // -1: none, sbxd serves us
};

struct Connection {
  DirectSupervisor direct;  // before the socket, whose end tells it to end
  UniqueFd socket;
};

// Chooses by options.mode, whether a socket is there, and who we are. A socket that nobody
// answers is an error, never a silent fallback.
Result<Connection> connect_supervisor(const Options& options);

}  // namespace sbx::sbxrun
