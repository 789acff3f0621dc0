#include "session.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "os/file.h"
#include "os/socket.h"

namespace sbx::sbxrun {
namespace {

constexpr std::size_t kMaxAnswerBytes = 1U << 30U;
constexpr std::int64_t kDrainMs = 1000;

std::int64_t now_ms() {
  timespec now{};
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

// The caller's terminal in raw mode: every key goes to the program inside.
class RawTerminal {
 public:
  RawTerminal() = default;
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal() { leave(); }
  void enter() {
    if (active_) return;
    if (tcgetattr(0, &before_) != 0) return;  // standard input is no terminal
    termios raw = before_;
    cfmakeraw(&raw);
    active_ = tcsetattr(0, TCSANOW, &raw) == 0;
  }
  void leave() {
    if (active_) (void)tcsetattr(0, TCSANOW, &before_);
    active_ = false;
  }
  [[nodiscard]] bool active() const { return active_; }

 private:
  termios before_{};
  bool active_ = false;
};

class Session {
 public:
  Session(const Connection& connection, const Options& options, ClientStreams streams)
      : supervisor_(connection.direct),
        socket_(connection.socket.get()),
        options_(options),
        streams_(std::move(streams)) {}

  Result<Answer> hold() {
    TRY(open_signals());
    const Result<void> held = [&]() -> Result<void> {
      // A supervisor that is gone is seen at the socket.
      if (const auto sent = send_request(); !sent && sent.error().error_number != EPIPE)
        return fail(sent.error());
      while (!finished()) TRY(wait());
      return {};
    }();
    close_signals();
    TRY(held);
    if (gave_up_) return gave_up();
    if (!answer_) {
      const std::string how = supervisor_.how_it_ended();
      return fail("the supervisor ended without an answer" + (how.empty() ? "" : ": it " + how) +
                  "; the next run removes what is left of this one");
    }
    // Who wanted the end is perhaps gone, with what was written to.
    for (const Relay& relay : streams_.outputs) {
      if (stops_ == 0 && relay.write_error() != 0)
        answer_->output_error = system_error("writing the output", "", relay.write_error());
    }
    return std::move(*answer_);
  }

 private:
  Result<void> open_signals() {
    (void)signal(SIGPIPE, SIG_IGN);
    sigset_t set;
    (void)sigemptyset(&set);
    std::vector<int> numbers{SIGINT, SIGTERM, SIGHUP, SIGWINCH};
    if (options_.request.tty) numbers.insert(numbers.end(), {SIGQUIT, SIGTSTP});
    for (const int number : numbers) {
      // What the caller ignores stays ignored (nohup): a signalfd would see it all the same.
      struct sigaction before {};
      (void)sigaction(number, nullptr, &before);
      if (before.sa_handler != SIG_IGN) (void)sigaddset(&set, number);
    }
    (void)sigprocmask(SIG_BLOCK, &set, &mask_before_);
    signals_ = UniqueFd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_.valid()) return fail(system_error("signalfd", "", errno));
    return {};
  }

  // What came until now was about the run, which is over. What comes later ends us, also in a write of the
  // verdict that nobody reads.
  void close_signals() {
    signalfd_siginfo info{};
    while (read(signals_.get(), &info, sizeof info) > 0) {
    }
    raw_.leave();
    (void)sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
  }

  Result<void> send_request() {
    RunRequest request = options_.request;
    if (winsize size{}; request.tty && ioctl(0, TIOCGWINSZ, &size) == 0 && size.ws_row > 0) {
      request.tty_rows = size.ws_row;
      request.tty_columns = size.ws_col;
    }
    // sbxd has its own; what a variable says is for runs without it.
    if (!supervisor_.is_ours() && !options_.places_given) {
      for (std::string* place : {&request.state_dir, &request.run_dir, &request.log, &request.config})
        place->clear();
    }
    const std::string bytes = encode_run_request(request);
    if (bytes.size() > kMaxRequestBytes) return fail("the command and environment are larger than 8M");
    const UniqueFd payload = TRY(os::sealed_memfd("sbx-request", bytes));
    std::vector<int> descriptors{payload.get()};
    descriptors.insert(descriptors.end(), streams_.sent.begin(), streams_.sent.end());
    ClientHeader header;
    header.type = ClientMessageType::request;
    TRY(os::send_struct(socket_, header, descriptors));
    streams_.to_close.clear();
    return {};
  }

  // The sandbox ends with its supervisor; the next start writes the line in the log.
  [[nodiscard]] Answer gave_up() const {
    Answer answer;
    answer.exit_status = first_stop_ == SIGINT ? 130 : 143;
    answer.finished.notice = "the supervisor did not answer and was killed, and the run with it";
    return answer;
  }

  bool finished() const {
    if (gave_up_) return true;
    if (!gone_ && !answer_) return false;
    if (abandoned_) return true;
    // A slow reader gets every byte, however long it takes, unless the caller wanted the end. What is not
    // waited for without end is more input: a pipe that something outside the sandbox holds open.
    const bool patient = stops_ == 0;
    for (const Relay& relay : compiler_output_) {
      if (patient && !relay.done()) return false;
    }
    for (const Relay& relay : streams_.outputs) {
      if (!relay.done() && ((patient && relay.has_pending()) || now_ms() < drain_until_)) return false;
    }
    return true;
  }

  Result<void> wait() {
    std::vector<pollfd> polled{{signals_.get(), POLLIN, 0}, {answer_ || gone_ ? -1 : socket_, POLLIN, 0}};
    std::vector<Relay*> relays;
    const auto add = [&](Relay& relay) {
      if (const auto wanted = relay.wanted()) {
        polled.push_back(*wanted);
        relays.push_back(&relay);
      }
    };
    for (Relay& relay : compiler_output_) add(relay);
    // What the compiler wrote comes first.
    const bool compiler_is_done = relays.empty();
    if (!compiler_is_done) polled[1].fd = -1;
    for (Relay& relay : streams_.outputs) {
      if (compiler_is_done) add(relay);
    }
    if (!answer_ && compiler_is_done) {
      for (Relay& relay : streams_.inputs) add(relay);
    }
    const bool draining = answer_ || gone_;
    if (poll(polled.data(), polled.size(), draining ? 50 : patience_ms()) < 0 && errno != EINTR) {
      return fail(system_error("poll", "", errno));
    }
    if (!draining && patience_ms() == 0) {
      gave_up_ = true;
      supervisor_.kill();
      return {};
    }
    if (polled[0].revents != 0) read_signal();
    for (std::size_t i = 0; i < relays.size(); ++i) {
      relays[i]->handle(polled[i + 2].revents);
      if (draining && stops_ == 0 && relays[i]->has_pending()) drain_until_ = now_ms() + kDrainMs;
    }
    check_output_limit();
    if (polled[1].revents != 0) TRY(read_socket());
    return {};
  }

  // A supervisor that is stopped or stuck does not end the run: we end the supervisor then.
  [[nodiscard]] int patience_ms() const {
    if (give_up_at_ == 0) return -1;
    return static_cast<int>(std::max<std::int64_t>(0, give_up_at_ - now_ms()));
  }

  void note_stop(int number) {
    ++stops_;
    if (stops_ == 1) first_stop_ = number;
    // It has a grace for the program after the first signal, none after the second, and time to clean up.
    constexpr std::array<std::int64_t, 3> kPatienceMs{20'000, 15'000, 3'000};
    const std::int64_t until = now_ms() + kPatienceMs[std::min<std::size_t>(stops_, kPatienceMs.size()) - 1];
    give_up_at_ = give_up_at_ == 0 ? until : std::min(give_up_at_, until);
  }

  // Of a caller whose terminal is raw: it is his again before we stop or end.
  void stop_or_quit(int number) {
    raw_.leave();
    if (number == SIGTSTP) {
      (void)raise(SIGSTOP);
      if (master_ >= 0) raw_.enter();  // else there is no terminal inside yet
      resize();
      return;
    }
    sigset_t quit;
    (void)sigemptyset(&quit);
    (void)sigaddset(&quit, number);
    (void)raise(number);
    (void)sigprocmask(SIG_UNBLOCK, &quit, nullptr);  // its default: we end, and the supervisor sees that
  }

  void read_signal() {
    signalfd_siginfo info{};
    while (read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      const auto number = static_cast<int>(info.ssi_signo);
      if (number == SIGWINCH) {
        resize();
        continue;
      }
      if (number == SIGTSTP || number == SIGQUIT) {
        stop_or_quit(number);
        continue;
      }
      note_stop(number);
      abandoned_ = answer_.has_value();  // only the last output is waited for: the caller does not want it
      ClientHeader header;
      header.type = ClientMessageType::signal;
      header.value = number;
      (void)os::send_struct(socket_, header);  // a supervisor that is gone is seen at the socket
    }
  }

  void resize() const {
    winsize size{};
    if (master_ >= 0 && ioctl(0, TIOCGWINSZ, &size) == 0) (void)ioctl(master_, TIOCSWINSZ, &size);
  }

  void check_output_limit() {
    const auto limit = options_.request.limits.output_bytes;
    if (!limit || output_exceeded_) return;
    std::uint64_t bytes = 0;
    for (const Relay& relay : streams_.outputs) bytes += relay.bytes();
    if (bytes <= *limit) return;
    output_exceeded_ = true;
    ClientHeader header;
    header.type = ClientMessageType::output_exceeded;
    header.bytes = bytes;
    (void)os::send_struct(socket_, header);
  }

  Result<void> read_socket() {
    auto message = TRY(os::receive_message(socket_, sizeof(ClientHeader)));
    if (!message) {
      gone_ = true;
      slave_.reset();
      drain_until_ = now_ms() + kDrainMs;
      return {};
    }
    const auto header = TRY(os::read_struct<ClientHeader>(*message, "supervisor"));
    if (header.version != kClientProtocolVersion)
      return fail("the supervisor speaks another protocol version");
    if (message->descriptors.size() != 1) return fail("supervisor: a message without its descriptor");
    UniqueFd fd = std::move(message->descriptors.front());
    if (header.type == ClientMessageType::terminal) {
      attach_terminal(std::move(fd));
      return {};
    }
    if (header.type == ClientMessageType::compiler_output) {
      const int from = fd.get();
      compiler_output_.emplace_back(from, streams_.output_number(2), std::move(fd));
      return {};
    }
    const std::string bytes = TRY(os::read_sealed_memfd(fd.get(), "answer", kMaxAnswerBytes));
    Answer answer;
    answer.exit_status = header.value;
    if (header.type == ClientMessageType::text) {
      answer.text = bytes;
    } else {
      answer.finished = TRY(decode_finished_run(bytes));
    }
    answer_ = std::move(answer);
    drain_until_ = now_ms() + kDrainMs;
    slave_.reset();  // now the last bytes of the pty end in an end-of-file
    return {};
  }

  void attach_terminal(UniqueFd master) {
    master_ = master.get();
    // A program that reads nothing must not stop us in a write to it.
    (void)fcntl(master_, F_SETFL, fcntl(master_, F_GETFL) | O_NONBLOCK);
    // While we hold the other end, too, a program that closes its streams before it ends does not hang up its
    // own terminal and die of SIGHUP.
    slave_ = UniqueFd(ioctl(master_, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    resize();
    raw_.enter();
    // At the end of a standard input that is no terminal the program reads end-of-file (VEOF, termios(3)).
    streams_.inputs.emplace_back(0, master_, UniqueFd(), raw_.active() ? "" : "\x04");
    streams_.outputs.emplace_back(master_, streams_.output_number(1), std::move(master));
  }

  const DirectSupervisor& supervisor_;
  int socket_;
  const Options& options_;
  ClientStreams streams_;
  std::vector<Relay> compiler_output_;  // one at most
  UniqueFd signals_;
  sigset_t mask_before_{};
  UniqueFd slave_;
  RawTerminal raw_;
  int master_ = -1;
  bool gone_ = false;
  bool output_exceeded_ = false;
  bool abandoned_ = false;
  bool gave_up_ = false;
  unsigned stops_ = 0;  // SIGINT, SIGTERM and SIGHUP so far
  int first_stop_ = 0;
  std::int64_t give_up_at_ = 0;  // 0: not asked to stop
  std::int64_t drain_until_ = 0;
  std::optional<Answer> answer_;
};

}  // namespace

Result<Answer> hold_session(const Connection& connection, const Options& options, ClientStreams streams) {
  return Session(connection, options, std::move(streams)).hold();
}

}  // namespace sbx::sbxrun
