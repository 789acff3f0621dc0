// Watches one program of a sandbox from its exec to the end of its last process: deadlines, limits that the
// kernel does not end it for, captured output, the caller's signals. Works on descriptors and plain values,
// and owns none of the kernel's objects but the pipes.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/limits.h"
#include "base/unique_fd.h"
#include "resource/spill.h"
#include "supervise/ending.h"
#include "supervise/poll_set.h"

namespace sbx {

struct CapturePipe {
  UniqueFd fd;       // our end; invalid: this stream is not captured
  std::string data;  // all that is kept of it; of what is spilled the end
  std::uint64_t bytes = 0;
  bool truncated = false;
};

// What is left of it when its command has ended.
enum class Leftovers : std::uint8_t {
  end_with_sandbox,  // init ends by itself, and with it everything
  killed,
  stay  // and are the sandbox's
};

struct ExecutionInput {
  std::uint32_t id = 0;  // as init knows it
  int client = -1;       // sbxrun's socket; -1: nobody to listen to
  bool tty = false;
  Leftovers leftovers = Leftovers::end_with_sandbox;
  std::int64_t sent_ns = 0;  // CLOCK_MONOTONIC, before init could know of it: nothing of it is earlier
  LimitSet limits{};
  std::array<CapturePipe, 2> captures{};                   // standard output, standard error
  Spill* spill = nullptr;                                  // what is captured goes there; null: into memory
  std::function<std::optional<std::uint64_t>()> cpu_us{};  // its own processes', so far
  std::function<void()> kill{};                            // all of its processes
  std::function<void(int)> signal{};                       // its program, which is to end
  std::function<void(int)> pass_signal{};                  // a caller's that says no more than that
};

struct ExecutionReport {
  Ending ending;
  bool started = false;
  std::int64_t started_ns = 0;  // CLOCK_MONOTONIC; 0: never started
  std::int64_t ended_ns = 0;
  bool abandoned = false;          // killed, but not seen to be gone in time
  int late_signal = 0;             // of the caller, when the command had ended already; 0: none
  std::uint64_t output_bytes = 0;  // captured, or as sbxrun told when it relayed too much
  std::array<CapturePipe, 2> captures;
};

class Execution {
 public:
  explicit Execution(ExecutionInput input);

  // --- what its sandbox tells of it ---
  void command_started(std::int64_t when_ns, const UniqueFd* terminal);
  void command_failed(const LaunchFailure& failure);
  void command_exited(int wait_status, std::int64_t when_ns);
  // The first ending wins; from then on what is left of it is being killed.
  void end(Ending ending);
  void end_because(Ending::Cause cause);
  void end_with_error(const Error& error);
  // None of its processes is left, or none can be told to be.
  void processes_gone() { processes_gone_ = true; }

  // --- the loop ---
  void wait_in(PollSet& turn);
  void check_deadlines();
  // What has come by now is all of its output.
  void close_output();
  // Ended, and every process gone or given up, and all of the output read.
  bool finished();
  ExecutionReport take_report();

  [[nodiscard]] std::uint32_t id() const { return in_.id; }
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  std::int64_t told_time(std::int64_t when_ns) const;
  std::int64_t wall_limit_ns() const;
  std::int64_t next_deadline() const;
  void hand_over_terminal(int master);
  void read_client();
  void forward_signal(int number);
  static void keep_end(std::string& end, std::string_view bytes);
  void read_capture(CapturePipe& capture);
  void check_cpu_time(std::int64_t now);

  ExecutionInput in_;
  ExecutionReport report_;
  bool ended_ = false;
  bool processes_gone_ = false;
  bool client_gone_ = false;
  int cancel_signal_ = 0;
  std::uint64_t kept_ = 0;
  std::int64_t deadline_ = kNever;
  std::int64_t cancel_deadline_ = kNever;
  std::int64_t next_cpu_check_ = kNever;
  std::int64_t drain_deadline_ = kNever;
  std::int64_t kill_deadline_ = kNever;
  std::int64_t give_up_deadline_ = kNever;
};

}  // namespace sbx
