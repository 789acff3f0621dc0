// The root process of sbxd: it starts the API and the nurseries, and starts again what dies. It reads no byte
// of a client's or a sandbox's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/times.h"
#include "run/settings.h"
#include "sbxd/access.h"
#include "sbxd/child_program.h"
#include "sbxd/listener.h"
#include "wire/daemon_protocol.h"

namespace sbx {

struct DaemonOptions {
  RunRequest places;  // as given: configuration is read again, and nurseries read it
  std::string socket;
  Settings settings;
  Access access;
};

class Daemon {
 public:
  explicit Daemon(DaemonOptions options) : options_(std::move(options)) {}
  // Until SIGTERM or SIGINT. Error: it could not start, or the API cannot stay alive.
  Result<void> run();

 private:
  struct Nursery {
    ChildProgram program;
    int cpu = 0;
  };

  Result<void> check_places() const;
  Result<void> prepare_api_root() const;
  Result<void> read_programs();
  Result<void> open_listener();
  void watch_pressure();
  Result<void> start_api();
  Result<void> tell_access(const Access& access, DaemonMessageType last) const;
  Result<void> prepare_images();
  void end_preparing();
  void reload();
  Result<void> try_reload();
  Result<void> start_nursery(Nursery& nursery, std::size_t index);
  Result<void> tell_api(DaemonMessageType type, std::int64_t value,
                        const std::vector<int>& descriptors) const;
  Result<void> serve();
  void sweep();
  void record(const char* what, const std::string& subject, const std::string& message,
              bool failed = false) const;
  Result<void> restart_api();
  Result<void> look_after_nursery(std::size_t index);
  void read_api();
  void begin_stop();
  void notify(const char* state) const;

  DaemonOptions options_;
  std::vector<int> cpus_;
  UniqueFd init_program_;
  UniqueFd files_program_;
  std::unique_ptr<Listener> listener_;
  std::vector<UniqueFd> tcp_listeners_;
  ChildProgram api_;
  UniqueFd api_socket_;
  UniqueFd pressure_;      // -1: there is no pool, or the kernel does not tell
  ChildProgram preparer_;  // of images, at each start of the API
  std::vector<Nursery> nurseries_;
  std::vector<std::int64_t> api_starts_;
  // For the metrics of an API that starts.
  std::int64_t started_ms_ = utc_ms();
  std::uint64_t api_restarts_ = 0;
  std::uint64_t nursery_restarts_ = 0;
  std::uint64_t swept_ = 0;
  bool stopping_ = false;
  std::int64_t stop_deadline_ = 0;
};

}  // namespace sbx
