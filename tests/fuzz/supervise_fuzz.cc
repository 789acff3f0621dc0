// What a hostile init, and a client, say to the supervisor of a run: it ends, with times that can be, and a
// verdict that is valid JSON. The input: limits, then messages, each with its sender, its size and its
// descriptors.
#include <fcntl.h>
#include <sys/socket.h>
#include <time.h>

#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "fuzz/fuzz.h"
#include "os/socket.h"
#include "outcome/decide_outcome.h"
#include "supervise/supervise.h"
#include "wire/client_protocol.h"
#include "wire/init_protocol.h"

namespace sbx::fuzz {
namespace {

constexpr std::uint64_t kLaunch = 7;
constexpr int kMostMessages = 32;  // what a socket takes with nobody reading

std::int64_t now_ns() {
  timespec now{};
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

// Takes the front of an input; nothing is left: zeros.
class Input {
 public:
  explicit Input(std::string_view rest) : rest_(rest) {}
  template <class T>
  T take() {
    T value{};
    const std::size_t size = std::min(sizeof value, rest_.size());
    std::memcpy(&value, rest_.data(), size);
    rest_.remove_prefix(size);
    return value;
  }
  [[nodiscard]] bool empty() const { return rest_.empty(); }
  [[nodiscard]] std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

struct Ends {
  UniqueFd ours;
  UniqueFd theirs;
};

Ends connect() {
  auto pair = os::seqpacket_pair();
  must(pair.has_value(), "the fuzzer can make a socket");
  (void)fcntl(pair->second.get(), F_SETFL, O_NONBLOCK);
  return {std::move(pair->first), std::move(pair->second)};
}

template <class T>
void send(int socket, const T& message, std::uint8_t shape) {
  static const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  const std::array<int, 3> descriptors{null, null, null};
  // Most are whole; some are cut, or longer than any of ours.
  std::string bytes(reinterpret_cast<const char*>(&message), sizeof message);
  if (shape % 16 == 1) bytes.resize(bytes.size() / 2);
  if (shape % 16 == 2) bytes.resize(bytes.size() * 2);
  (void)os::send_message(socket, bytes, std::span(descriptors).first(shape / 16U % 4U));
}

void say_what_init_says(int socket, Input& input) {
  const auto shape = input.take<std::uint8_t>();
  init::Message message;
  if (shape >= 250) message.version = input.take<std::uint32_t>();
  message.type = static_cast<init::MessageType>(input.take<std::uint8_t>() % 8U);
  message.value = input.take<std::int32_t>();
  message.step = input.take<std::uint8_t>();
  message.when_ns = input.take<std::int64_t>();
  if (shape % 32 == 31) message.exec = input.take<std::uint8_t>();
  send(socket, message, shape);
}

void say_what_a_client_says(int socket, Input& input) {
  const auto shape = input.take<std::uint8_t>();
  ClientHeader header;
  header.type = static_cast<ClientMessageType>(input.take<std::uint8_t>() % 10U);
  header.value = input.take<std::int32_t>();
  header.bytes = input.take<std::uint64_t>();
  send(socket, header, shape);
}

// The spawner is ours: it tells how init ended, and no more.
void say_that_init_ended(int socket, int status) {
  SpawnerMessage message;
  message.type = SpawnerMessageType::ended;
  message.id = kLaunch;
  message.status = status;
  (void)os::send_struct(socket, message);
}

void must_be_a_verdict(const SuperviseReport& report, const LimitSet& limits) {
  RunResult result;
  result.command = {"prog"};
  result.limits = limits;
  RunFacts facts;
  facts.output_bytes = report.output_bytes;
  decide_outcome(report.ending, facts, "a hint", result);
  must(!result.message.empty(), "a verdict says why");
  must(is_result_json(result_to_json(result, true)), "a verdict is a line of JSON");
  const int status = sbxrun_exit_status(result);
  must(status >= 0 && status <= 255, "an exit status is one");
  must(report.ending.cause == Ending::Cause::command_exited || result.outcome != Outcome::exited,
       "only a command that exited is one");
}

void try_supervision(Input input) {
  const std::int64_t begin = now_ns();
  Ends spawner = connect();
  Ends init = connect();
  Ends client = connect();
  const auto flags = input.take<std::uint8_t>();
  const auto status = input.take<std::int32_t>();
  SpawnerChannel launch(spawner.ours.get(), kLaunch);
  SuperviseInput in{.launch = launch};
  in.init = init.ours.get();
  in.client = (flags & 1U) != 0 ? client.ours.get() : -1;
  in.launched_ns = begin;
  in.tty = (flags & 2U) != 0;
  if ((flags & 4U) != 0) in.limits.wall_ms = std::max<std::uint64_t>(1, input.take<std::uint64_t>());
  if ((flags & 8U) != 0) in.limits.output_bytes = std::max<std::uint64_t>(1, input.take<std::uint16_t>());
  const LimitSet limits = in.limits;
  for (int i = 0; i < kMostMessages && !input.empty(); ++i) {
    if (input.take<std::uint8_t>() % 4U == 0) {
      say_what_a_client_says(client.theirs.get(), input);
    } else {
      say_what_init_says(init.theirs.get(), input);
    }
  }
  say_that_init_ended(spawner.theirs.get(), status);
  if ((flags & 16U) != 0) init.theirs.reset();
  const SuperviseReport report = supervise(std::move(in));
  const std::int64_t end = now_ns();
  must(report.ended_ns >= begin && report.ended_ns <= end,
       "a run ends after it began, and not later than now");
  if (report.started) {
    must(report.started_ns >= begin && report.started_ns <= report.ended_ns, "a run starts before it ends");
  }
  must_be_a_verdict(report, limits);
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sbx::fuzz::try_supervision(sbx::fuzz::Input(sbx::fuzz::text_of(data, size)));
  return 0;
}
