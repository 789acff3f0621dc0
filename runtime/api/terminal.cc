#include "api/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "api/json_object.h"
#include "api/signal_request.h"

namespace sbx::api {
namespace {

// Beyond it the client has to take something first.
constexpr std::size_t kMostWaiting = 256U << 10U;
// Of what is left running and writes without end; a terminal holds less.
constexpr std::size_t kMostAfterEnd = 1U << 20U;
constexpr std::chrono::seconds kLookForClient{1};
// At once: others wait for us, too.
constexpr int kMostReads = 16;

// Who sends it was told by an init that may have been taken over.
Result<void> check_master(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return fail(system_error("fstat", "terminal", errno));
  if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(5, 2))  // devices.txt: the masters of ptys
    return fail("the sandbox gave something that is no terminal");
  return {};
}

Result<UniqueFd> duplicate(int fd) {
  UniqueFd copy(fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!copy.valid()) return fail(system_error("dup", "terminal", errno));
  return copy;
}

Result<unsigned short> read_size(const JsonObject& object, std::string_view key) {
  const auto value = TRY(object.count(key));
  if (!value || *value < 1 || *value > UINT16_MAX)
    return fail("'" + object.name(key) + "': give 1 to " + std::to_string(UINT16_MAX));
  return static_cast<unsigned short>(*value);
}

bool ready_for(int fd, short what) {
  pollfd polled{fd, what, 0};
  return poll(&polled, 1, 0) > 0;
}

}  // namespace

template <class Do>
std::function<void()> Terminal::held(Do what) {
  return [weak = weak_from_this(), what] {
    if (const auto self = weak.lock()) what(*self);
  };
}

// --- the program ---------------------------------------------------------------------------------------

Result<void> Terminal::connect(UniqueFd master) {
  if (master_.valid()) return fail("a second terminal of one program");
  TRY(check_master(master.get()));
  writing_ = TRY(duplicate(master.get()));
  master_ = std::move(master);
  (void)fcntl(master_.get(), F_SETFL, fcntl(master_.get(), F_GETFL) | O_NONBLOCK);
  // While we hold the other end, too, a program that closes its streams before it ends hangs nothing up.
  slave_ = UniqueFd(ioctl(master_.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  resize();
  if (!taken_) patience_timer_ = loop_.after(patience_.begun, held([](Terminal& self) { self.leave(); }));
  write_input();
  pump();
  return {};
}

void Terminal::end(std::string event) {
  exit_ = std::move(event);
  slave_.reset();
  patience_timer_.stop();
  if (taken_) return pump();
  if (!master_.valid()) return finish();
  patience_timer_ = loop_.after(patience_.ended, held([](Terminal& self) { self.finish(); }));
}

// --- the client ----------------------------------------------------------------------------------------

void Terminal::attach(std::shared_ptr<http::WebSocket> socket, UniqueFd connection) {
  if (taken_) return socket->close(http::kClosePolicy, "somebody is at this terminal, or was");
  taken_ = true;
  patience_timer_.stop();
  socket_ = std::move(socket);
  connection_ = std::move(connection);
  const auto self = shared_from_this();
  socket_->on_message([self](std::string_view message, bool text) { self->take(message, text); });
  socket_->on_closed([self](std::uint16_t, std::string_view) { self->leave(); });
  pump();
}

void Terminal::take(std::string_view message, bool text) {
  if (!socket_ || socket_->closing()) return;
  if (!text) {
    input_ += message;
    return write_input();
  }
  const auto obeyed = obey(message);
  if (!obeyed) socket_->close(http::kClosePolicy, obeyed.error().text);
}

Result<void> Terminal::obey(std::string_view json) {
  constexpr std::array<std::string_view, 3> kResize{"type", "rows", "cols"};
  constexpr std::array<std::string_view, 2> kSignal{"type", "signal"};
  const JsonObject object = TRY_DOING("reading a text message", JsonObject::parse(json));
  const std::string type = TRY(object.text("type")).value_or("");
  if (type == "resize") {
    TRY(object.only(kResize));
    size_.ws_row = TRY(read_size(object, "rows"));
    size_.ws_col = TRY(read_size(object, "cols"));
    resize();
    return {};
  }
  if (type != "signal") return fail("'type': 'resize' or 'signal'; what is typed goes into binary messages");
  TRY(object.only(kSignal));
  return send_signal(TRY(parse_signal(object)));
}

// As by the keys: to what is in the foreground. All others are for the program that was asked for.
Result<void> Terminal::send_signal(int number) const {
  const bool by_key = number == SIGINT || number == SIGQUIT || number == SIGTSTP;
  if (!by_key) {
    hooks_.pass_signal(number);
  } else if (master_.valid()) {
    (void)ioctl(master_.get(), TIOCSIG, number);
  }
  return {};
}

void Terminal::resize() const {
  if (master_.valid() && size_.ws_row > 0) (void)ioctl(master_.get(), TIOCSWINSZ, &size_);
}

// The client hung up, or nobody came. What is written now is for nobody.
void Terminal::leave() {
  taken_ = true;
  socket_.reset();
  connection_.reset();
  input_.clear();
  write_watch_.stop();
  client_timer_.stop();
  patience_timer_.stop();
  if (exit_.empty() && hooks_.hang_up) std::exchange(hooks_.hang_up, nullptr)();
  pump();
}

// --- from the client -----------------------------------------------------------------------------------

// A program that reads nothing has the client wait.
void Terminal::write_input() {
  if (!socket_) return;
  while (!input_.empty() && writing_.valid() && ready_for(writing_.get(), POLLOUT)) {
    const ssize_t count = write(writing_.get(), input_.data(), std::min<std::size_t>(input_.size(), 4096));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    count < 0 ? input_.clear() : static_cast<void>(input_.erase(0, static_cast<std::size_t>(count)));
  }
  if (!input_.empty() && exit_.empty()) return wait_for_room();
  input_.clear();
  write_watch_.stop();
  client_timer_.stop();
  socket_->resume();
}

void Terminal::wait_for_room() {
  socket_->pause();
  look_for_client();
  if (!writing_.valid()) return;
  auto watch = loop_.watch_writable(writing_.get(), held([](Terminal& self) { self.write_input(); }));
  if (watch) write_watch_ = std::move(*watch);  // else it is there already
}

// One that is not read is not seen to go.
void Terminal::look_for_client() {
  client_timer_ = loop_.after(kLookForClient, held([](Terminal& self) {
                                if (!self.socket_) return;
                                if (!ready_for(self.connection_.get(), POLLRDHUP))
                                  return self.look_for_client();
                                self.socket_->close(http::kCloseGoingAway, "");
                                self.leave();
                              }));
}

// --- to the client -------------------------------------------------------------------------------------

bool Terminal::is_full() const { return socket_ && socket_->queued_bytes() >= kMostWaiting; }

void Terminal::pump() {
  const auto self = shared_from_this();
  if (!taken_) return;
  bool more = true;
  for (int i = 0; i < kMostReads && more; ++i) more = read_some();
  if (is_full() || read_over_ || !master_.valid()) read_watch_.stop();
  if (is_full()) return;
  if (!exit_.empty() && !more) return finish();
  if (read_over_ || !master_.valid()) return;
  auto watch = loop_.watch(master_.get(), held([](Terminal& pumped) { pumped.pump(); }));
  if (watch) read_watch_ = std::move(*watch);  // else it is there already
}

// False: nothing is there, or nobody takes it now.
bool Terminal::read_some() {
  if (read_over_ || !master_.valid() || after_end_ > kMostAfterEnd) return false;
  if (is_full() || !ready_for(master_.get(), POLLIN)) return false;
  std::array<char, 65536> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
  const ssize_t count = read(master_.get(), buffer.data(), buffer.size());
  if (count < 0 && errno == EINTR) return true;
  if (count < 0 && errno == EAGAIN) return false;
  if (count <= 0) {  // EIO: nobody has it open any more
    read_over_ = true;
    return false;
  }
  const auto size = static_cast<std::size_t>(count);
  if (!exit_.empty()) after_end_ += size;
  if (socket_) socket_->send_binary({buffer.data(), size}, [self = shared_from_this()] { self->pump(); });
  return true;
}

void Terminal::finish() {
  const auto self = shared_from_this();
  taken_ = true;
  read_watch_.stop();
  write_watch_.stop();
  patience_timer_.stop();
  client_timer_.stop();
  writing_.reset();
  master_.reset();
  if (socket_) {
    socket_->send_text(exit_);
    socket_->close(http::kCloseNormal, "the run has ended");
    socket_.reset();
  }
  connection_.reset();
  if (hooks_.over) std::exchange(hooks_.over, nullptr)();
}

}  // namespace sbx::api
