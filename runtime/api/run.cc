#include "api/run.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>

#include "api/api_words.h"
#include "api/own_result.h"
#include "api/run_events.h"
#include "os/file.h"
#include "os/socket.h"
#include "wire/client_protocol.h"

namespace sbx::api {

Run::Run(http::Loop& loop, const KeptOutput& output, RunSummary summary, Told started, Told ended)
    : loop_(loop),
      output_(output),
      about_(std::move(summary)),
      when_started_(std::move(started)),
      when_ended_(std::move(ended)) {}

Run::Run(http::Loop& loop, const KeptOutput& output, RunRecord record)
    : loop_(loop),
      output_(output),
      about_(std::move(record.about)),
      started_(record.output_bytes.has_value()),
      kept_bytes_(record.output_bytes),
      result_(std::move(record.result)) {}

void Run::fail_with(const std::string& why) { end_with(failed_result(about_, why)); }

Result<void> Run::begin(UniqueFd client, std::string input, UniqueFd input_pipe, Admission::Place place) {
  ticket_ = {};
  client_ = std::move(client);
  input_ = std::move(input);
  input_pipe_ = std::move(input_pipe);
  place_ = std::move(place);
  client_watch_ = TRY(loop_.watch(client_.get(), [this] { read_client(); }));
  if (!input_pipe_.valid()) return {};
  (void)fcntl(input_pipe_.get(), F_SETFL, O_NONBLOCK);
  write_input();
  return {};
}

// A full pipe is tried again: nothing tells when a pipe that is only written to has room, but a poll.
void Run::write_input() {
  while (!input_.empty()) {
    const ssize_t count = write(input_pipe_.get(), input_.data(), input_.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) {
      input_timer_ = loop_.after(std::chrono::milliseconds(5), [this] { write_input(); });
      return;
    }
    if (count < 0) break;  // nobody reads it any more
    input_.erase(0, static_cast<std::size_t>(count));
  }
  input_.clear();
  input_pipe_.reset();
}

void Run::read_client() {
  auto received = os::receive_message(client_.get(), sizeof(ClientHeader));
  if (!received && received.error().error_number == EAGAIN) return;
  if (!received || !*received) {
    lost_keeper_ = true;
    return end_with(failed_result(about_, "the keeper of the sandbox ended"));
  }
  const auto header = os::read_struct<ClientHeader>(**received, "answer");
  auto& descriptors = (*received)->descriptors;
  if (!header) return;
  if (header->type == ClientMessageType::output && descriptors.size() == 2) {
    spill_ = std::move(descriptors[0]);
    event_ = std::move(descriptors[1]);
    if (header->bytes > 0) place_.set_memory(header->bytes);
    started_ = true;
    auto watch = loop_.watch(event_.get(), [this] {
      std::uint64_t times = 0;
      if (read(event_.get(), &times, sizeof times) > 0) tell_followers();
    });
    if (watch) event_watch_ = std::move(*watch);
    if (when_started_) std::exchange(when_started_, {})(*this);
    return;
  }
  if (header->type == ClientMessageType::terminal && descriptors.size() == 1 && terminal_) {
    // Who gave what is no terminal ends: nobody could be at it.
    if (!terminal_->connect(std::move(descriptors.front()))) signal(SIGKILL);
    return;
  }
  if (header->type != ClientMessageType::finished || descriptors.size() != 1) return;
  constexpr std::size_t kMostResult = 64U << 20U;
  const auto bytes = os::read_sealed_memfd(descriptors.front().get(), "result", kMostResult);
  const auto finished = bytes ? decode_finished_run(*bytes) : fail(bytes.error());
  if (!finished) return end_with(failed_result(about_, finished.error().text));
  std::string result = finished->json.empty() ? failed_result(about_, finished->message) : finished->json;
  const bool may_be_refused = header->value >= 125 && header->value <= 127;  // sbxrun(1), "Exit status"
  end_with(may_be_refused ? result_in_api_words(std::move(result)) : std::move(result));
}

void Run::end_with(std::string result) {
  const auto self = shared_from_this();  // whoever hears of the end may let us go
  client_watch_.stop();
  event_watch_.stop();
  input_timer_.stop();
  input_pipe_.reset();
  client_.reset();
  struct stat status {};
  if (spill_.valid() && fstat(spill_.get(), &status) == 0)
    kept_bytes_ = static_cast<std::uint64_t>(status.st_size);
  spill_.reset();
  event_.reset();
  result_ = std::move(result);
  ticket_ = {};
  if (when_ended_) std::exchange(when_ended_, {})(*this);
  tell_followers();
  if (terminal_) {
    OrderedJson last = exit_event(*this);
    last["seq"] = 1;
    terminal_->end(last.dump(-1, ' ', true, OrderedJson::error_handler_t::replace));
  }
  place_.leave();
}

Result<UniqueFd> Run::open_output() const {
  if (!started_) return fail("the run has no output yet");
  if (!spill_.valid()) return output_.open(about_.id);
  UniqueFd fd(fcntl(spill_.get(), F_DUPFD_CLOEXEC, 3));
  if (!fd.valid()) return fail(system_error("dup", "output", errno));
  return fd;
}

void Run::signal(int number) {
  if (ended()) return;
  if (!begun()) return end_with(unbegun_result(about_));
  tell_keeper(ClientMessageType::signal, number);
}

void Run::make_terminal(std::function<void(const Run&)> over) {
  const auto tell = [weak = weak_from_this()](const auto& what) {
    if (const auto self = weak.lock()) what(*self);
  };
  terminal_ = std::make_shared<Terminal>(
      loop_,
      Terminal::Hooks{[tell] { tell([](Run& run) { run.signal(SIGHUP); }); },
                      [tell](int number) { tell([number](Run& run) { run.pass_signal(number); }); },
                      [tell, over = std::move(over)] { tell(over); }},
      Terminal::Patience{});
}

void Run::pass_signal(int number) {
  if (begun()) tell_keeper(ClientMessageType::pass_signal, number);
}

void Run::tell_keeper(ClientMessageType type, int number) {
  ClientHeader header;
  header.type = type;
  header.value = number;
  (void)os::send_struct(client_.get(), header);  // one that ended meanwhile needs none
}

Run::Follower Run::follow(std::function<void()> changed) {
  auto follower = std::make_shared<std::function<void()>>(std::move(changed));
  followers_.push_back(follower);
  return follower;
}

void Run::tell_followers() {
  const auto self = shared_from_this();
  std::erase_if(followers_, [](const auto& follower) { return follower.expired(); });
  const auto now = followers_;  // one may come or go meanwhile
  for (const auto& weak : now) {
    if (const auto follower = weak.lock()) (*follower)();
  }
}

}  // namespace sbx::api
