#include "supervise/execution.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "os/clock.h"
#include "os/socket.h"
#include "wire/client_protocol.h"

namespace sbx {
namespace {

constexpr std::int64_t kMillisecond = 1'000'000;
constexpr std::int64_t kSetupTimeout = 60'000 * kMillisecond;
constexpr std::int64_t kCancelGrace = 5'000 * kMillisecond;   // docs/man/sbxrun.1, Signals
constexpr std::int64_t kDrainTimeout = 1'000 * kMillisecond;  // a result does not wait longer for end-of-file
constexpr std::int64_t kGiveUpTimeout = 10'000 * kMillisecond;

}  // namespace

Execution::Execution(ExecutionInput input) : in_(std::move(input)) {
  deadline_ = in_.sent_ns + kSetupTimeout;
  for (CapturePipe& capture : in_.captures) {
    if (capture.fd.valid()) (void)fcntl(capture.fd.get(), F_SETFL, O_NONBLOCK);
  }
}

ExecutionReport Execution::take_report() {
  for (CapturePipe& capture : in_.captures) read_capture(capture);  // what came with the last event
  report_.captures = std::move(in_.captures);
  if (report_.ended_ns == 0) report_.ended_ns = os::monotonic_ns();
  for (const CapturePipe& capture : report_.captures) report_.output_bytes += capture.bytes;
  return std::move(report_);
}

// --- the end -------------------------------------------------------------------------------------------

void Execution::end(Ending ending) {
  if (ended_) return;
  ended_ = true;
  report_.ending = std::move(ending);
  if (cancel_signal_ != 0) {  // asked for before: that is what ended it
    report_.ending.cause = Ending::Cause::cancelled;
    report_.ending.signal = cancel_signal_;
  }
  report_.ended_ns = os::monotonic_ns();
  give_up_deadline_ = report_.ended_ns + kGiveUpTimeout;
  const bool by_itself = report_.ending.cause == Ending::Cause::command_exited;
  if (by_itself && in_.leftovers == Leftovers::stay) return processes_gone();
  // After the command init ends by itself, and with it every process of its PID namespace; asking the
  // kernel for the same again would cost the usual run a wait. Should init be stuck, it is killed all the
  // same.
  if (by_itself && in_.leftovers == Leftovers::end_with_sandbox) {
    kill_deadline_ = report_.ended_ns + kDrainTimeout;
  } else {
    in_.kill();
  }
}

void Execution::end_because(Ending::Cause cause) {
  Ending ending;
  ending.cause = cause;
  end(std::move(ending));
}

void Execution::end_with_error(const Error& error) {
  Ending ending;
  ending.cause = Ending::Cause::supervisor_error;
  ending.text = error.text;
  end(std::move(ending));
}

bool Execution::finished() {
  if (!ended_) return false;
  // A task that cannot die, or a spawner that does not answer, must not keep the caller for ever.
  if (!processes_gone_ && os::monotonic_ns() >= give_up_deadline_) {
    report_.abandoned = true;
    return true;
  }
  if (!processes_gone_) return false;
  const bool drained = std::ranges::none_of(in_.captures, [](const CapturePipe& c) { return c.fd.valid(); });
  if (drained) return true;
  if (drain_deadline_ == kNever) drain_deadline_ = os::monotonic_ns() + kDrainTimeout;
  return os::monotonic_ns() >= drain_deadline_;
}

void Execution::close_output() {
  for (CapturePipe& capture : in_.captures) {
    read_capture(capture);
    capture.fd.reset();
  }
}

// --- the sandbox ---------------------------------------------------------------------------------------

void Execution::command_started(std::int64_t when_ns, const UniqueFd* terminal) {
  if (report_.started || ended_) return;
  report_.started = true;
  report_.started_ns = told_time(when_ns);
  deadline_ = in_.limits.wall_ms ? report_.started_ns + wall_limit_ns() : kNever;
  next_cpu_check_ = in_.limits.cpu_ms ? os::monotonic_ns() : kNever;
  if (in_.tty && in_.client >= 0 && terminal != nullptr) hand_over_terminal(terminal->get());
}

void Execution::hand_over_terminal(int master) {
  ClientHeader header;
  header.type = ClientMessageType::terminal;
  const auto sent = os::send_struct(in_.client, header, std::span(&master, 1));
  // A client that is gone is seen at its socket.
  if (!sent && sent.error().error_number != EPIPE)
    end_with_error(Error(sent.error()).while_doing("handing over the terminal"));
}

void Execution::command_failed(const LaunchFailure& failure) {
  Ending ending;
  ending.cause = Ending::Cause::exec_failed;
  ending.failure = failure;
  end(std::move(ending));
}

void Execution::command_exited(int wait_status, std::int64_t when_ns) {
  if (!report_.started || ended_) return;
  Ending ending;
  ending.cause = Ending::Cause::command_exited;
  ending.command_ended = true;
  ending.wait_status = wait_status;
  end(std::move(ending));
  report_.ended_ns = std::max(told_time(when_ns), report_.started_ns);
}

// Init may have been taken over, and lie: no time of its lies before the launch, or is still to come.
std::int64_t Execution::told_time(std::int64_t when_ns) const {
  return std::clamp(when_ns, in_.sent_ns, os::monotonic_ns());
}

std::int64_t Execution::wall_limit_ns() const {
  constexpr auto kMost = static_cast<std::uint64_t>(kNever / 4 / kMillisecond);
  return static_cast<std::int64_t>(std::min(*in_.limits.wall_ms, kMost)) * kMillisecond;
}

// --- the caller ----------------------------------------------------------------------------------------

void Execution::read_client() {
  auto received = os::receive_message(in_.client, sizeof(ClientHeader));
  if (!received) {
    client_gone_ = true;
    return end_with_error(std::move(received.error()).while_doing("listening to sbxrun"));
  }
  if (!*received) {
    client_gone_ = true;
    return end_because(Ending::Cause::cancelled);
  }
  const auto message = os::read_struct<ClientHeader>(**received, "client");
  if (!message) return;
  if (message->type == ClientMessageType::signal) forward_signal(message->value);
  const bool is_signal = message->value >= 1 && message->value <= 64;
  if (message->type == ClientMessageType::pass_signal && is_signal && !ended_ && in_.pass_signal)
    in_.pass_signal(message->value);
  if (message->type == ClientMessageType::output_exceeded && !ended_) {
    report_.output_bytes = message->bytes;
    end_because(Ending::Cause::output_limit);
  }
}

// Once to the program; at the second signal, or after the grace, everything is killed.
void Execution::forward_signal(int number) {
  if (number < 1 || number > 64) return;
  if (ended_) {
    report_.late_signal = number;
    return;
  }
  const bool first = cancel_signal_ == 0;
  if (first) cancel_signal_ = number;
  if (!first) return end_because(Ending::Cause::cancelled);
  cancel_deadline_ = os::monotonic_ns() + kCancelGrace;
  if (in_.signal) in_.signal(number);
}

// --- output --------------------------------------------------------------------------------------------

// Keeps what fits below the limit of both streams together and counts the rest; beyond it the run ends.
// The end of what is elsewhere: enough to say why a program failed.
void Execution::keep_end(std::string& end, std::string_view bytes) {
  constexpr std::size_t kKept = 64U << 10U;
  end.append(bytes.substr(bytes.size() - std::min(bytes.size(), kKept)));
  if (end.size() > 2 * kKept) end.erase(0, end.size() - kKept);  // seldom moved
}

void Execution::read_capture(CapturePipe& capture) {
  std::array<char, 65536> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
  while (capture.fd.valid()) {
    const ssize_t count = read(capture.fd.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) {
      const Error error = system_error("read", "the captured output", errno);
      capture.truncated = true;  // whatever ends the run: not all of it is here
      capture.fd.reset();
      return end_with_error(error);
    }
    if (count == 0) return capture.fd.reset();
    const auto size = static_cast<std::uint64_t>(count);
    const std::uint64_t room = in_.limits.output_bytes ? *in_.limits.output_bytes - kept_ : size;
    const std::uint64_t kept = std::min(room, size);
    if (in_.spill == nullptr) {
      capture.data.append(buffer.data(), kept);
    } else if (kept > 0) {
      const std::string_view bytes(buffer.data(), kept);
      in_.spill->append(&capture == &in_.captures[1] ? 1 : 0, bytes);
      keep_end(capture.data, bytes);
    }
    capture.bytes += size;
    kept_ += kept;
    if (kept == size) continue;
    capture.truncated = true;
    end_because(Ending::Cause::output_limit);
    // A writer that still runs for a moment must not keep us here: no more is read.
    return capture.fd.reset();
  }
}

// --- the loop ------------------------------------------------------------------------------------------

void Execution::wait_in(PollSet& turn) {
  if (!client_gone_) turn.add(in_.client, [this] { read_client(); });
  for (CapturePipe& capture : in_.captures)
    turn.add(capture.fd.get(), [this, &capture] { read_capture(capture); });
  turn.until(next_deadline());
}

std::int64_t Execution::next_deadline() const {
  if (ended_) return processes_gone_ ? drain_deadline_ : std::min(kill_deadline_, give_up_deadline_);
  return std::min({deadline_, cancel_deadline_, next_cpu_check_});
}

void Execution::check_deadlines() {
  const std::int64_t now = os::monotonic_ns();
  if (ended_ && now >= kill_deadline_) {
    kill_deadline_ = kNever;
    in_.kill();
  }
  if (ended_) return;
  if (now >= cancel_deadline_) return end_because(Ending::Cause::cancelled);
  if (now >= deadline_) {
    if (report_.started) return end_because(Ending::Cause::wall_time);
    return end_with_error(Error{"the sandbox was not ready after 60 s", 0});
  }
  if (now >= next_cpu_check_) check_cpu_time(now);
}

// Looks again when the limit could be reached at the earliest: all CPUs busy, or the granted rate.
void Execution::check_cpu_time(std::int64_t now) {
  const std::optional<std::uint64_t> used_us = in_.cpu_us();
  if (!used_us) {
    next_cpu_check_ = kNever;
    return;
  }
  const std::uint64_t limit_us = *in_.limits.cpu_ms * 1000;
  if (*used_us >= limit_us) return end_because(Ending::Cause::cpu_time);
  const auto cpus = static_cast<std::uint64_t>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  const std::uint64_t milli_cpus = std::min(cpus * 1000, in_.limits.milli_cpus.value_or(cpus * 1000));
  const std::uint64_t wait_us =
      std::max<std::uint64_t>(5'000, (limit_us - *used_us) * 1000 / std::max<std::uint64_t>(milli_cpus, 10));
  next_cpu_check_ = now + static_cast<std::int64_t>(std::min<std::uint64_t>(wait_us, 3'600'000'000)) * 1000;
}

}  // namespace sbx
