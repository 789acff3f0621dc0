#include "keeper/shell_session.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

#include "keeper/command_home.h"
#include "os/clock.h"
#include "plan/plan_environment.h"
#include "run/streams.h"

namespace sbx {
namespace {

constexpr std::int64_t kPatience = 500'000'000;

// An interactive shell, since only such a one gives up a line (at SIGINT, or an error of a special built-in)
// and goes on with the next (POSIX.1, 2.8.1). bash where there is one, since that is what people write for.
// What it says of terminals and prompts is not for anybody.
constexpr const char* kStart =
    "exec 3<&0 4>&2 2>/dev/null; unset ENV; PS1=; export PS1\n"
    "for SBX_SHELL in /bin/bash /usr/bin/bash; do\n"
    "  [ -x $SBX_SHELL ] && exec $SBX_SHELL --norc --noprofile --noediting -i\n"
    "done\n"
    "exec /bin/sh -i\n";
constexpr const char* kFirstLine =
    "PS1=; PS2=; unset SBX_SHELL; [ -z \"$BASH_VERSION\" ] || set +o history +H; "
    "exec 2>&4 4>&-; printf 'read\\n' >&3\n";

std::string quoted(const std::string& text) {
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

// `status`: how the line before ended, for its $?.
std::string line_for(const std::string& text, int status) {
  const std::string before = status == 0 ? "" : "(exit " + std::to_string(status) + "); ";
  return "SBX_LINE=" + quoted(text) + "; printf 'read\\n' >&3; " + before +
         "eval \"$SBX_LINE\" 3<&- </dev/null\n";
}

// Only when the line was read: with what a shell has read ahead it throws away this, too.
std::string question(std::uint32_t number) {
  return "printf 'ended %d %d\\n' " + std::to_string(number) + " $? >&3\n";
}

Result<std::array<UniqueFd, 2>> stream_pair() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return fail(system_error("socketpair", "session", errno));
  return std::array<UniqueFd, 2>{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

ExecutionInput shell_input(const CommandHome& home, std::uint32_t id, const CommandGroup& group) {
  return {.id = id,
          .leftovers = home.policy.background_processes ? Leftovers::stay : Leftovers::killed,
          .sent_ns = os::monotonic_ns(),
          .cpu_us = [] { return std::nullopt; },
          .kill = [&group] { group.kill(); }};
}

}  // namespace

ShellSession::ShellSession(const CommandHome& home, std::uint32_t id, std::string name, CommandGroup group,
                           UniqueFd socket)
    : home_(home),
      name_(std::move(name)),
      group_(std::move(group)),
      socket_(std::move(socket)),
      shell_(shell_input(home, id, group_)) {
  home_.watch.add(shell_);
}

ShellSession::~ShellSession() { home_.watch.remove(shell_); }

Result<std::unique_ptr<ShellSession>> ShellSession::start(const CommandHome& home, std::uint32_t id,
                                                          std::string name) {
  RunRequest request;
  request.command = {"/bin/sh", "-c", kStart};
  request.environment = home.request.environment;
  request.streams = {StreamMode::null, StreamMode::capture, StreamMode::capture};
  ExecPlan exec;
  TRY(plan_exec(request, home.facts, exec));
  auto ends = TRY(stream_pair());
  ExecStreams streams;
  TRY(make_streams(request, {}, home.ids.outside(kWorkloadId)).map([&](ExecStreams made) {
    streams = std::move(made);
  }));
  streams.inside[0] = std::move(ends[1]);
  (void)fcntl(ends[0].get(), F_SETFL, O_NONBLOCK);
  CommandGroup group = TRY(home.sandbox.make_command_group("s" + std::to_string(id)));
  std::unique_ptr<ShellSession> session(
      new ShellSession(home, id, std::move(name), std::move(group), std::move(ends[0])));
  session->to_send_ = kFirstLine;
  for (std::size_t i = 0; i < 2; ++i) {
    session->pipes_[i] = std::move(streams.captures[i].fd);
    (void)fcntl(session->pipes_[i].get(), F_SETFL, O_NONBLOCK);
  }
  TRY(home.sandbox.send({.id = id, .exec = exec, .streams = streams, .group = &session->group_},
                        home.site.cpus));
  return session;
}

// --- a line --------------------------------------------------------------------------------------------

Result<std::array<CapturePipe, 2>> ShellSession::output() const {
  std::array<CapturePipe, 2> captures;
  for (std::size_t i = 0; i < 2; ++i) {
    captures[i].fd = UniqueFd(fcntl(pipes_[i].get(), F_DUPFD_CLOEXEC, 3));
    if (!captures[i].fd.valid()) return fail(system_error("dup", "the session's output", errno));
  }
  return captures;
}

void ShellSession::run(Execution& line, const std::string& text) {
  line_ = &line;
  text_ = text;
  if (ready_) begin_line();
}

void ShellSession::begin_line() {
  interrupted_ = false;
  ++number_;
  to_send_ = line_for(text_, status_);
  line_->command_started(os::monotonic_ns(), nullptr);
}

void ShellSession::let_go(const Execution& line) {
  if (line_ == &line) line_ = nullptr;
}

// The shell, too: then it knows, when its children end of it, that it is to give up the line.
void ShellSession::interrupt() { ready_ ? group_.signal_at_once(SIGINT) : group_.kill(); }

// What the line runs, and what lines before it left running: they are one group.
void ShellSession::signal(int number) {
  if (number == SIGKILL) return group_.kill();
  if (!ready_) return;
  number == SIGINT ? interrupt() : group_.signal_all(number, shell_pid_);
}

void ShellSession::end_soon() {
  if (interrupted_) return;
  interrupted_ = true;
  give_up_at_ = os::monotonic_ns() + kPatience;
  interrupt();
}

void ShellSession::end_line(int status) {
  give_up_at_ = kNever;
  Execution* const line = std::exchange(line_, nullptr);
  if (!home_.policy.background_processes) group_.signal_all(SIGKILL, shell_pid_);
  if (line != nullptr) {
    line->command_exited(status, os::monotonic_ns());
    line->processes_gone();
    line->close_output();
  }
  if (interrupted_) drop_output();
}

// Of a line that was ended: not the next one's.
void ShellSession::drop_output() const {
  std::array<char, 65536> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): never looked at
  for (const UniqueFd& pipe : pipes_) {
    for (int i = 0; i < 16 && read(pipe.get(), buffer.data(), buffer.size()) > 0;) ++i;
  }
}

// --- the shell -----------------------------------------------------------------------------------------

void ShellSession::wait_in(PollSet& turn) {
  if (over_) return;
  turn.add(socket_.get(), [this] { read_socket(); });
  if (!to_send_.empty())
    turn.add(
        socket_.get(), [this] { write_socket(); }, POLLOUT);
  turn.add(
      group_.events_fd(), [] {}, POLLPRI);  // `check` looks
  shell_.wait_in(turn);
  turn.until(give_up_at_);
}

void ShellSession::check() {
  if (over_) return;
  shell_.check_deadlines();
  if (os::monotonic_ns() >= give_up_at_) {
    give_up_at_ = kNever;
    group_.kill();
  }
  if (shell_.ended() && !group_.populated()) shell_.processes_gone();
  if (shell_.finished()) look_at_shell();
}

void ShellSession::write_socket() {
  const ssize_t count = send(socket_.get(), to_send_.data(), to_send_.size(), MSG_NOSIGNAL);
  if (count > 0) to_send_.erase(0, static_cast<std::size_t>(count));
  if (count < 0 && errno != EAGAIN && errno != EINTR) to_send_.clear();  // its end is told by init
}

// Words in lines of their own. Anything else is a shell that went wrong.
void ShellSession::read_socket() {
  constexpr std::size_t kMostWord = 64;
  std::array<char, 256> buffer{};
  const ssize_t count = recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) return socket_.reset();
  received_.append(buffer.data(), static_cast<std::size_t>(count));
  for (std::size_t end = 0; (end = received_.find('\n')) != std::string::npos; received_.erase(0, end + 1)) {
    if (!take_word(received_.substr(0, end))) return group_.kill();
  }
  if (received_.size() > kMostWord) group_.kill();
}

bool ShellSession::take_word(const std::string& word) {
  if (word == "read") {
    to_send_ += question(number_);
    return true;
  }
  unsigned number = 0;
  int status = 0;
  if (std::sscanf(word.c_str(), "ended %u %d", &number, &status) != 2 || status < 0 || status > 255)
    return false;
  if (number != number_) return false;
  status_ = status;
  if (ready_) {
    end_line(status << 8);
    return true;
  }
  ready_ = true;
  shell_pid_ = group_.only_member();
  if (line_ != nullptr) begin_line();
  return shell_pid_ != 0;
}

void ShellSession::look_at_shell() {
  over_ = true;
  socket_.reset();
  const ExecutionReport report = shell_.take_report();
  if (line_ == nullptr) return;
  if (report.ending.cause == Ending::Cause::exec_failed) line_->command_failed(report.ending.failure);
  end_line(report.ending.command_ended ? report.ending.wait_status : SIGKILL);
}

}  // namespace sbx
