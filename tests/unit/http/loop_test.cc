#include "http/loop.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "base/unique_fd.h"
#include "os/socket.h"

namespace sbx::http {
namespace {

using namespace std::chrono_literals;

std::unique_ptr<Loop> make_loop() {
  auto loop = Loop::create();
  REQUIRE(loop);
  return std::move(*loop);
}

void turn_some(Loop& loop) {
  for (int i = 0; i < 5; ++i) loop.turn(0ms);
}

TEST_CASE("what can be read is told again until it is read") {
  const auto loop = make_loop();
  const UniqueFd event(eventfd(0, EFD_CLOEXEC));
  int told = 0;
  const auto watch = loop->watch(event.get(), [&] { ++told; });
  REQUIRE(watch);
  turn_some(*loop);
  CHECK(told == 0);
  REQUIRE(eventfd_write(event.get(), 1) == 0);
  turn_some(*loop);
  const int first = told;
  CHECK(first >= 2);
  eventfd_t value = 0;
  REQUIRE(eventfd_read(event.get(), &value) == 0);
  turn_some(*loop);
  CHECK(told <= first + 1);
}

TEST_CASE("what can be written to is told while there is room, and when nobody reads any more") {
  const auto loop = make_loop();
  std::array<int, 2> ends{};
  REQUIRE(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
  UniqueFd reading(ends[0]);
  const UniqueFd writing(ends[1]);
  int told = 0;
  const auto watch = loop->watch_writable(writing.get(), [&] { ++told; });
  REQUIRE(watch);
  turn_some(*loop);
  CHECK(told > 0);
  const std::string bytes(4096, 'a');
  const auto fill = [&] {
    while (write(writing.get(), bytes.data(), bytes.size()) > 0) {
    }
    turn_some(*loop);
    const int full = told;
    turn_some(*loop);
    CHECK(told == full);
    return full;
  };
  const int full = fill();
  std::string taken(65536, '\0');
  REQUIRE(read(reading.get(), taken.data(), taken.size()) > 0);
  turn_some(*loop);
  CHECK(told > full);
  const int again = fill();
  reading.reset();
  turn_some(*loop);
  CHECK(told > again);
}

TEST_CASE("the end of a connection is told, and messages of a SEQPACKET socket") {
  const auto loop = make_loop();
  auto pair = os::seqpacket_pair();
  REQUIRE(pair);
  std::vector<std::string> messages;
  bool ended = false;
  Watch watch;
  auto watched = loop->watch(pair->first.get(), [&] {
    const auto message = os::receive_message(pair->first.get(), 100);
    REQUIRE(message);
    if (*message) return messages.push_back((*message)->bytes);
    ended = true;
    watch.stop();
  });
  REQUIRE(watched);
  watch = std::move(*watched);
  REQUIRE(os::send_message(pair->second.get(), "one"));
  REQUIRE(os::send_message(pair->second.get(), "two"));
  pair->second.reset();
  turn_some(*loop);
  CHECK(messages == std::vector<std::string>{"one", "two"});
  CHECK(ended);
}

TEST_CASE("a watch that was stopped calls nothing, leaves the descriptor, and it can be watched again") {
  const auto loop = make_loop();
  const UniqueFd event(eventfd(1, EFD_CLOEXEC));
  int told = 0;
  {
    const auto watch = loop->watch(event.get(), [&] { ++told; });
    REQUIRE(watch);
    CHECK_FALSE(loop->watch(event.get(), [] {}));
  }
  turn_some(*loop);
  CHECK(told == 0);
  CHECK(fcntl(event.get(), F_GETFD) >= 0);
  const auto again = loop->watch(event.get(), [&] { ++told; });
  REQUIRE(again);
  turn_some(*loop);
  CHECK(told > 0);
}

TEST_CASE("timers are called once, in order; one that was stopped is not") {
  const auto loop = make_loop();
  std::string order;
  const Timer later = loop->after(2ms, [&] { order += "b"; });
  const Timer soon = loop->after(1ms, [&] { order += "a"; });
  Timer stopped = loop->after(1ms, [&] { order += "x"; });
  stopped.stop();
  const Timer end = loop->after(5ms, [&] { loop->stop(); });
  loop->run();
  CHECK(order == "ab");
}

TEST_CASE("a timer may be replaced by what it calls") {
  const auto loop = make_loop();
  int count = 0;
  Timer timer;
  std::function<void()> again = [&] {
    if (++count == 3) return loop->stop();
    timer = loop->after(0ms, again);
  };
  timer = loop->after(0ms, again);
  loop->run();
  CHECK(count == 3);
}

TEST_CASE("what is posted is called later, in order, and run ends when it is told to") {
  const auto loop = make_loop();
  std::string order;
  loop->post([&] {
    loop->post([&] { loop->stop(); });
    order += "a";
  });
  loop->post([&] { order += "b"; });
  CHECK(order.empty());
  loop->run();
  CHECK(order == "ab");
  loop->post([&] { loop->stop(); });
  loop->run();
}

}  // namespace
}  // namespace sbx::http
