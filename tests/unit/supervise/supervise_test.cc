// What init says to the supervisor of a run, and what the supervisor takes from it: init may have been taken
// over.
#include "supervise/supervise.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "os/socket.h"
#include "wire/client_protocol.h"
#include "wire/init_protocol.h"

namespace sbx {
namespace {

using init::MessageType;

std::int64_t now_ns() {
  timespec now{};
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

constexpr std::int64_t kHour = 3'600'000'000'000;

// The other ends of a supervisor's sockets. What is sent before it begins is there when it looks.
class Run {
 public:
  Run() {
    auto spawner = os::seqpacket_pair();
    auto init = os::seqpacket_pair();
    auto client = os::seqpacket_pair();
    REQUIRE((spawner && init && client));
    std::tie(spawner_, spawner_end_) = std::move(*spawner);
    std::tie(init_, init_end_) = std::move(*init);
    std::tie(client_, client_end_) = std::move(*client);
  }
  void client_signals(int number) const {
    ClientHeader message;
    message.type = ClientMessageType::signal;
    message.value = number;
    REQUIRE(os::send_struct(client_.get(), message));
  }
  void init_says(MessageType type, std::int64_t when_ns, int value = 0, std::uint32_t exec = 0) const {
    init::Message message;
    message.exec = exec;
    message.type = type;
    message.when_ns = when_ns;
    message.value = value;
    REQUIRE(os::send_struct(init_.get(), message));
  }
  // Its socket is closed with it, unless it gave it to somebody.
  void init_ends(bool gave_socket_away = false) {
    if (!gave_socket_away) init_.reset();
    SpawnerMessage message;
    message.type = SpawnerMessageType::ended;
    REQUIRE(os::send_struct(spawner_.get(), message));
  }
  void spawner_ends() { spawner_.reset(); }
  // `output`: our end of a captured standard output.
  [[nodiscard]] SuperviseReport supervise(LimitSet limits = {}, UniqueFd output = {}) const {
    SpawnerChannel launch(spawner_end_.get(), 0);
    SuperviseInput input{.launch = launch};
    input.client = client_end_.get();
    input.init = init_end_.get();
    input.launched_ns = launched_ns_;
    input.limits = limits;
    input.captures[0].fd = std::move(output);
    return sbx::supervise(std::move(input));
  }

 private:
  std::int64_t launched_ns_ = now_ns();
  UniqueFd spawner_, spawner_end_, init_, init_end_, client_, client_end_;
};

// Whether `body` comes to its end: in a child, so that one that waits for ever ends, too.
bool ends(const std::function<void()>& body) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    (void)signal(SIGABRT, SIG_DFL);  // doctest's would print the report of the whole test
    (void)alarm(60);
    body();
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

TEST_CASE("a command that started and exited did so") {
  const std::int64_t before = now_ns();
  Run run;
  run.init_says(MessageType::started, now_ns());
  run.init_says(MessageType::exited, now_ns(), 7 << 8);
  run.init_ends();
  const SuperviseReport report = run.supervise();
  CHECK(report.ending.cause == Ending::Cause::command_exited);
  CHECK(report.ending.wait_status == 7 << 8);
  CHECK(report.started);
  CHECK(report.started_ns >= before);
  CHECK(report.ended_ns >= report.started_ns);
}

TEST_CASE("a supervisor does not wait for a word of a dead init whose socket somebody else holds") {
  for (const bool exited : {true, false}) {
    CHECK(ends([exited] {
      Run run;
      run.init_says(MessageType::started, now_ns());
      if (exited) run.init_says(MessageType::exited, now_ns());
      run.init_ends(true);
      (void)run.supervise();
    }));
  }
}

TEST_CASE("a supervisor does not wait for the end of a captured stream that somebody outside holds open") {
  CHECK(ends([] {
    int output[2];
    if (pipe(output) != 0) _exit(1);
    Run run;
    run.init_says(MessageType::started, now_ns());
    run.init_says(MessageType::exited, now_ns());
    run.init_ends();
    if (run.supervise({}, UniqueFd(output[0])).ending.cause != Ending::Cause::command_exited) _exit(1);
  }));
}

TEST_CASE("no time that init tells lies before its launch or in the future, and none overflows") {
  for (const std::int64_t started :
       {INT64_MIN, std::int64_t{-1}, std::int64_t{0}, now_ns() + kHour, INT64_MAX}) {
    for (const std::int64_t exited : {INT64_MIN, std::int64_t{0}, now_ns() + kHour, INT64_MAX}) {
      CAPTURE(started);
      CAPTURE(exited);
      CHECK(ends([=] {
        const std::int64_t before = now_ns();
        Run run;
        run.init_says(MessageType::started, started);
        run.init_says(MessageType::exited, exited);
        run.init_ends();
        LimitSet limits;
        limits.wall_ms = kMostMilliseconds;
        const SuperviseReport report = run.supervise(limits);
        if (report.started_ns < before || report.ended_ns < report.started_ns || report.ended_ns > now_ns())
          _exit(1);
      }));
    }
  }
}

TEST_CASE("an init that says it starts in an hour has its wall time from now on") {
  Run run;
  run.init_says(MessageType::started, now_ns() + kHour);
  LimitSet limits;
  limits.wall_ms = 100;
  // Its end comes late enough for the deadline to be first, and the run to end in any case.
  std::thread spawner([&run] {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    run.init_ends();
  });
  const SuperviseReport report = run.supervise(limits);
  spawner.join();
  CHECK(report.ending.cause == Ending::Cause::wall_time);
}

TEST_CASE("a command that never started cannot have exited") {
  Run run;
  run.init_says(MessageType::exited, now_ns(), 0);
  run.init_ends();
  const SuperviseReport report = run.supervise();
  CHECK(report.ending.cause == Ending::Cause::init_died);
  CHECK_FALSE(report.started);
}

TEST_CASE("what init says after the end of a run changes nothing of it") {
  Run run;
  const std::int64_t started = now_ns();
  run.init_says(MessageType::started, started);
  run.init_says(MessageType::exec_failed, 0, ENOENT);
  run.init_says(MessageType::exited, 0, 0);
  run.init_says(MessageType::started, 0);
  run.init_ends();
  const SuperviseReport report = run.supervise();
  CHECK(report.ending.cause == Ending::Cause::exec_failed);
  CHECK_FALSE(report.ending.command_ended);
  CHECK(report.started_ns >= started);
  CHECK(report.ended_ns > report.started_ns);
}

TEST_CASE("a spawner that ends behind its last sandbox did not end the run, one that ends before did") {
  for (const bool before : {false, true}) {
    CAPTURE(before);
    Run run;
    if (!before) {
      run.init_says(MessageType::exec_failed, 0, ENOENT);
      run.init_ends();
    }
    run.spawner_ends();
    // Something holds the other end: the run waits for it a while, and sees the spawner's end.
    auto output = os::seqpacket_pair();
    REQUIRE(output);
    const SuperviseReport report = run.supervise({}, std::move(output->first));
    CHECK(report.spawner_ended == before);
    CHECK(report.ending.cause == (before ? Ending::Cause::supervisor_error : Ending::Cause::exec_failed));
  }
}

TEST_CASE("a caller's signal behind the end of the program is told, and changes no verdict") {
  Run run;
  run.init_says(MessageType::started, now_ns());
  run.init_says(MessageType::exited, now_ns());
  run.init_ends();
  run.client_signals(SIGTERM);
  const SuperviseReport report = run.supervise();
  CHECK(report.ending.cause == Ending::Cause::command_exited);
  CHECK(report.late_signal == SIGTERM);
}

TEST_CASE("a run that ended before its program started has no time of a start") {
  Run run;
  run.init_says(MessageType::exec_failed, 0, ENOENT);
  run.init_says(MessageType::started, now_ns() + kHour);
  run.init_ends();
  const SuperviseReport report = run.supervise();
  CHECK(report.ending.cause == Ending::Cause::exec_failed);
  CHECK_FALSE(report.started);
  CHECK(report.started_ns == 0);
}

}  // namespace sbx
