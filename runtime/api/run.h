// A run of a client's, as the API knows it: from its request to its result, and those who follow it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "api/admission.h"
#include "api/kept_output.h"
#include "api/run_record.h"
#include "api/terminal.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "http/loop.h"
#include "wire/client_protocol.h"

namespace sbx::api {

class Run : public std::enable_shared_from_this<Run> {
 public:
  // Each is called at most once.
  using Told = std::function<void(const Run&)>;
  Run(http::Loop& loop, const KeptOutput& output, RunSummary summary, Told started, Told ended);
  // One that has ended, as the history has it.
  Run(http::Loop& loop, const KeptOutput& output, RunRecord record);

  // It waits for its turn; who cancels it meanwhile ends it.
  void wait(Admission::Ticket ticket) { ticket_ = std::move(ticket); }
  // `client`: our end of its socket (wire/client_protocol.h). `input`: what is left of its standard input,
  // and the pipe's end. `place`: what it takes; none of a command.
  Result<void> begin(UniqueFd client, std::string input, UniqueFd input_pipe, Admission::Place place);
  // It came to nothing.
  void fail_with(const std::string& why);

  [[nodiscard]] const RunSummary& about() const { return about_; }
  [[nodiscard]] bool ended() const { return !result_.empty(); }
  // One JSON object: the result without output; empty before the end.
  [[nodiscard]] const std::string& result() const { return result_; }
  [[nodiscard]] bool lost_keeper() const { return lost_keeper_; }
  [[nodiscard]] bool started() const { return started_; }
  // A descriptor of its own for a reader of the output; error: there is none, or none any more.
  [[nodiscard]] Result<UniqueFd> open_output() const;
  // Of a run that has ended: how much is kept of it; nothing: there is no file.
  [[nodiscard]] std::optional<std::uint64_t> kept_bytes() const { return kept_bytes_; }

  // Since it was asked for.
  [[nodiscard]] std::chrono::duration<double> age() const {
    return std::chrono::steady_clock::now() - begun_;
  }

  // It is to end: in 5 s, and at the second one at once, as one that waits.
  void signal(int number);
  // It has one, where somebody may come to (api/terminal.h).
  void make_terminal(std::function<void(const Run&)> over);
  // It shows the host's files to who is at its terminal.
  void note_binds() { has_binds_ = true; }
  [[nodiscard]] bool has_binds() const { return has_binds_; }
  [[nodiscard]] const std::shared_ptr<Terminal>& terminal() const { return terminal_; }
  // For the program, whatever it does about it. Only to one that has begun.
  void pass_signal(int number);
  [[nodiscard]] bool begun() const { return client_.valid(); }

  // Called when there is more output, and at the end; until it is let go.
  using Follower = std::shared_ptr<std::function<void()>>;
  [[nodiscard]] Follower follow(std::function<void()> changed);

 private:
  void tell_keeper(ClientMessageType type, int number);
  void read_client();
  void write_input();
  void end_with(std::string result);
  void tell_followers();

  http::Loop& loop_;
  const KeptOutput& output_;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  RunSummary about_;
  bool has_binds_ = false;
  Admission::Ticket ticket_;
  Admission::Place place_;
  UniqueFd client_;
  std::string input_;
  UniqueFd input_pipe_;
  UniqueFd spill_;
  UniqueFd event_;
  bool started_ = false;
  bool lost_keeper_ = false;
  std::optional<std::uint64_t> kept_bytes_;
  std::string result_;
  std::shared_ptr<Terminal> terminal_;
  std::function<void(const Run&)> when_started_;
  std::function<void(const Run&)> when_ended_;
  std::vector<std::weak_ptr<std::function<void()>>> followers_;
  http::Watch client_watch_;
  http::Watch event_watch_;
  http::Timer input_timer_;
};

}  // namespace sbx::api
