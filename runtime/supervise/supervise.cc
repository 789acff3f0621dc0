#include "supervise/supervise.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "os/socket.h"
#include "wire/client_protocol.h"
#include "wire/init_protocol.h"

namespace sbx {
namespace {

constexpr std::int64_t kMillisecond = 1'000'000;
constexpr std::int64_t kSetupTimeout = 60'000 * kMillisecond;
constexpr std::int64_t kCancelGrace = 5'000 * kMillisecond;   // docs/man/sbxrun.1, Signals
constexpr std::int64_t kDrainTimeout = 1'000 * kMillisecond;  // a result does not wait longer for end-of-file
constexpr std::int64_t kGiveUpTimeout = 10'000 * kMillisecond;
constexpr std::int64_t kNever = INT64_MAX;

std::int64_t now_ns() {
  timespec now{};
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

class Supervision {
 public:
  explicit Supervision(SuperviseInput input) : in_(std::move(input)) {
    deadline_ = in_.launched_ns + kSetupTimeout;
    for (CapturePipe& capture : in_.captures) {
      if (capture.fd.valid()) (void)fcntl(capture.fd.get(), F_SETFL, O_NONBLOCK);
    }
  }

  SuperviseReport run() {
    while (!finished()) {
      wait_for_events();
      check_deadlines();
    }
    for (CapturePipe& capture : in_.captures) read_capture(capture);  // what came with the last event
    report_.captures = std::move(in_.captures);
    if (report_.ended_ns == 0) report_.ended_ns = now_ns();
    for (const CapturePipe& capture : report_.captures) report_.output_bytes += capture.bytes;
    return std::move(report_);
  }

 private:
  // --- the end ---------------------------------------------------------------------------------------

  // The first ending wins; from then on everything in the sandbox is being killed.
  void end(Ending ending) {
    if (ended_) return;
    ended_ = true;
    report_.ending = std::move(ending);
    if (cancel_signal_ != 0) {  // asked for before: that is what ended the run
      report_.ending.cause = Ending::Cause::cancelled;
      report_.ending.signal = cancel_signal_;
    }
    report_.ended_ns = now_ns();
    // After the command init ends by itself, and with it every process of its PID namespace; asking the
    // kernel for the same again would cost the usual run a wait. Should init be stuck, it is killed all the
    // same.
    if (report_.ending.cause == Ending::Cause::command_exited) {
      kill_deadline_ = report_.ended_ns + kDrainTimeout;
    } else {
      kill_all();
    }
    give_up_deadline_ = report_.ended_ns + kGiveUpTimeout;
  }

  void end_because(Ending::Cause cause) {
    Ending ending;
    ending.cause = cause;
    end(std::move(ending));
  }

  void end_with_error(const Error& error) {
    Ending ending;
    ending.cause = Ending::Cause::supervisor_error;
    ending.text = error.text;
    end(std::move(ending));
  }

  void kill_all() const {
    if (in_.cgroup != nullptr) (void)in_.cgroup->kill();
    if (init_pidfd_.valid()) (void)syscall(SYS_pidfd_send_signal, init_pidfd_.get(), SIGKILL, nullptr, 0);
  }

  bool finished() {
    if (!ended_) return false;
    // A task that cannot die, or a spawner that does not answer, must not keep the caller for ever.
    if (!processes_gone_ && now_ns() >= give_up_deadline_) {
      report_.abandoned = true;
      return true;
    }
    if (!processes_gone_) return false;
    const bool drained =
        std::ranges::none_of(in_.captures, [](const CapturePipe& c) { return c.fd.valid(); });
    if (drained) return true;
    if (drain_deadline_ == kNever) drain_deadline_ = now_ns() + kDrainTimeout;
    return now_ns() >= drain_deadline_;
  }

  // --- waiting ---------------------------------------------------------------------------------------

  enum class Source : std::uint8_t { spawner, init, client, memory, standard_output, standard_error };

  void wait_for_events() {
    std::vector<pollfd> polled;
    std::vector<Source> sources;
    const auto add = [&](Source source, int fd, short events = POLLIN) {
      if (fd < 0) return;
      polled.push_back({fd, events, 0});
      sources.push_back(source);
    };
    if (!spawner_gone_) add(Source::spawner, in_.spawner);
    if (!init_gone_) add(Source::init, in_.init);
    if (!client_gone_) add(Source::client, in_.client);
    if (!ended_ && in_.cgroup != nullptr) add(Source::memory, in_.cgroup->memory_event_fd());
    add(Source::standard_output, in_.captures[0].fd.get());
    add(Source::standard_error, in_.captures[1].fd.get());

    const std::int64_t left = std::max<std::int64_t>(0, next_deadline() - now_ns());
    const timespec timeout{left / 1'000'000'000, left % 1'000'000'000};
    if (ppoll(polled.data(), polled.size(), next_deadline() == kNever ? nullptr : &timeout, nullptr) <= 0)
      return;
    for (std::size_t i = 0; i < polled.size(); ++i) {
      if (polled[i].revents != 0) handle(sources[i]);
    }
  }

  void handle(Source source) {
    switch (source) {
    case Source::spawner: return read_spawner();
    case Source::init: return read_init();
    case Source::client: return read_client();
    case Source::memory: return end_because(Ending::Cause::out_of_memory);
    case Source::standard_output: return read_capture(in_.captures[0]);
    case Source::standard_error: return read_capture(in_.captures[1]);
    }
  }

  // --- the spawner -----------------------------------------------------------------------------------

  void read_spawner() {
    auto received = os::receive_message(in_.spawner, sizeof(SpawnerMessage));
    if (!received || !*received) {
      spawner_gone_ = true;
      processes_gone_ = true;                  // init dies with its spawner; removing the cgroup makes sure
      (void)shutdown(in_.spawner, SHUT_RDWR);  // one that lives ends when nobody listens
      report_.spawner_ended = received.has_value() && !ended_;
      return end_with_error(received ? Error{"the spawner ended unexpectedly", 0}
                                     : std::move(received.error()).while_doing("listening to the spawner"));
    }
    const auto message = os::read_struct<SpawnerMessage>(**received, "spawner");
    if (!message || message->type == SpawnerMessageType::hello || message->id != in_.launch_id) return;
    switch (message->type) {
    case SpawnerMessageType::launched:
      report_.step_us = message->step_us;
      if (!(*received)->descriptors.empty()) init_pidfd_ = std::move((*received)->descriptors.front());
      if (ended_) kill_all();  // cancelled while it was being launched
      break;
    case SpawnerMessageType::launch_failed: {
      processes_gone_ = true;
      Ending ending;
      ending.cause = Ending::Cause::launch_failed;
      ending.failure = message->failure;
      end(std::move(ending));
      break;
    }
    case SpawnerMessageType::ended: {
      read_init_until_end();  // its last word may still be in the socket
      processes_gone_ = true;
      Ending ending;
      ending.cause = Ending::Cause::init_died;
      ending.wait_status = message->status;
      end(std::move(ending));
      break;
    }
    default: break;
    }
  }

  // --- init ------------------------------------------------------------------------------------------

  // Init is dead. Its end of the socket may be open all the same, in the hands of whoever it gave it to:
  // nothing more is waited for, and who sends without end is not read without end.
  void read_init_until_end() {
    constexpr int kMostMessages = 4096;
    pollfd ready{in_.init, POLLIN, 0};
    for (int i = 0; i < kMostMessages && !init_gone_ && poll(&ready, 1, 0) > 0; ++i) read_init();
    init_gone_ = true;
  }

  void read_init() {
    if (init_gone_) return;
    auto received = os::receive_message(in_.init, sizeof(init::Message));
    if (!received) {
      init_gone_ = true;
      return end_with_error(std::move(received.error()).while_doing("listening to the sandbox's init"));
    }
    if (!*received) {
      init_gone_ = true;  // the spawner tells how it ended
      return;
    }
    const auto message = os::read_struct<init::Message>(**received, "init");
    if (!message || message->version != init::kVersion) return;
    switch (message->type) {
    case init::MessageType::started:
      if (report_.started || ended_) return;
      report_.started = true;
      report_.started_ns = told_time(message->when_ns);
      deadline_ = in_.limits.wall_ms ? report_.started_ns + wall_limit_ns() : kNever;
      next_cpu_check_ = in_.limits.cpu_ms ? now_ns() : kNever;
      if (in_.tty && in_.client >= 0 && !(*received)->descriptors.empty()) {
        const int master = (*received)->descriptors.front().get();
        ClientHeader header;
        header.type = ClientMessageType::terminal;
        const auto sent = os::send_struct(in_.client, header, std::span(&master, 1));
        // A client that is gone is seen at its socket.
        if (!sent && sent.error().error_number != EPIPE)
          return end_with_error(Error(sent.error()).while_doing("handing over the terminal"));
      }
      break;
    case init::MessageType::exec_failed: {
      Ending ending;
      ending.cause = Ending::Cause::exec_failed;
      ending.failure = {
          message->step < kLaunchSteps ? static_cast<LaunchStep>(message->step) : LaunchStep::execve, 0,
          message->value};
      end(std::move(ending));
      break;
    }
    case init::MessageType::exited: {
      if (!report_.started || ended_) return;
      Ending ending;
      ending.cause = Ending::Cause::command_exited;
      ending.command_ended = true;
      ending.wait_status = message->value;
      end(std::move(ending));
      report_.ended_ns = std::max(told_time(message->when_ns), report_.started_ns);
      break;
    }
    default: break;
    }
  }

  // Init may have been taken over, and lie: no time of its lies before the launch, or is still to come.
  std::int64_t told_time(std::int64_t when_ns) const {
    return std::clamp(when_ns, in_.launched_ns, now_ns());
  }

  std::int64_t wall_limit_ns() const {
    constexpr auto kMost = static_cast<std::uint64_t>(kNever / 4 / kMillisecond);
    return static_cast<std::int64_t>(std::min(*in_.limits.wall_ms, kMost)) * kMillisecond;
  }

  // --- the caller ------------------------------------------------------------------------------------

  void read_client() {
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
    if (message->type == ClientMessageType::output_exceeded && !ended_) {
      report_.output_bytes = message->bytes;
      end_because(Ending::Cause::output_limit);
    }
  }

  // Once to the program; at the second signal, or after the grace, everything is killed. Init reads it after
  // the command it is to start, whenever it is sent.
  void forward_signal(int number) {
    if (number < 1 || number > 64) return;
    if (ended_) {
      report_.late_signal = number;
      return;
    }
    const bool first = cancel_signal_ == 0;
    if (first) cancel_signal_ = number;
    if (!first) return end_because(Ending::Cause::cancelled);
    cancel_deadline_ = now_ns() + kCancelGrace;
    init::Message message;
    message.type = init::MessageType::signal;
    message.value = number;
    (void)os::send_struct(in_.init, message);  // an init that is gone is seen as its end
  }

  // --- output ----------------------------------------------------------------------------------------

  // Keeps what fits below the limit of both streams together and counts the rest; beyond it the run ends.
  void read_capture(CapturePipe& capture) {
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
      capture.data.append(buffer.data(), kept);
      capture.bytes += size;
      kept_ += kept;
      if (kept == size) continue;
      capture.truncated = true;
      end_because(Ending::Cause::output_limit);
      // A writer that still runs for a moment must not keep us here: no more is read.
      return capture.fd.reset();
    }
  }

  // --- time ------------------------------------------------------------------------------------------

  std::int64_t next_deadline() const {
    if (ended_) return processes_gone_ ? drain_deadline_ : std::min(kill_deadline_, give_up_deadline_);
    return std::min({deadline_, cancel_deadline_, next_cpu_check_});
  }

  void check_deadlines() {
    const std::int64_t now = now_ns();
    if (ended_ && now >= kill_deadline_) {
      kill_deadline_ = kNever;
      kill_all();
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
  void check_cpu_time(std::int64_t now) {
    const auto used_us = in_.cgroup != nullptr ? in_.cgroup->cpu_us() : std::nullopt;
    if (!used_us) {
      next_cpu_check_ = kNever;
      return;
    }
    const std::uint64_t limit_us = *in_.limits.cpu_ms * 1000;
    if (*used_us >= limit_us) return end_because(Ending::Cause::cpu_time);
    const auto cpus = static_cast<std::uint64_t>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
    const std::uint64_t milli_cpus = std::min(cpus * 1000, in_.limits.milli_cpus.value_or(cpus * 1000));
    const std::uint64_t wait_us = std::max<std::uint64_t>(
        5'000, (limit_us - *used_us) * 1000 / std::max<std::uint64_t>(milli_cpus, 10));
    next_cpu_check_ = now + static_cast<std::int64_t>(std::min<std::uint64_t>(wait_us, 3'600'000'000)) * 1000;
  }

  SuperviseInput in_;
  SuperviseReport report_;
  UniqueFd init_pidfd_;
  bool ended_ = false;
  bool processes_gone_ = false;
  bool spawner_gone_ = false;
  bool init_gone_ = false;
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

}  // namespace

SuperviseReport supervise(SuperviseInput input) { return Supervision(std::move(input)).run(); }

}  // namespace sbx
