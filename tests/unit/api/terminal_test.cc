// Terminals that nobody comes to, and what is none. Who does come: tests/websocket/terminal_test.js.
#include "api/terminal.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

namespace sbx::api {
namespace {

using std::chrono::milliseconds;

struct Told {
  int hung_up = 0;
  int over = 0;
};

class Place {
 public:
  explicit Place(Terminal::Patience patience) {
    auto loop = http::Loop::create();
    REQUIRE(loop);
    loop_ = std::move(*loop);
    terminal_ = std::make_shared<Terminal>(
        *loop_, Terminal::Hooks{[this] { ++told.hung_up; }, [](int) {}, [this] { ++told.over; }}, patience);
  }
  Terminal& terminal() { return *terminal_; }
  // At most half a minute.
  template <class Condition>
  bool comes_true(const Condition& condition) {
    for (int i = 0; i < 300 && !condition(); ++i) loop_->turn(milliseconds(100));
    return condition();
  }
  Told told;

 private:
  std::unique_ptr<http::Loop> loop_;
  std::shared_ptr<Terminal> terminal_;
};

UniqueFd open_master() {
  UniqueFd master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  REQUIRE(master.valid());
  REQUIRE(unlockpt(master.get()) == 0);
  return master;
}

constexpr milliseconds kLong{3'600'000};

}  // namespace

TEST_CASE("a program that nobody comes to is hung up once, and what it writes then goes nowhere") {
  Place place({.begun = milliseconds(1), .ended = kLong});
  UniqueFd master = open_master();
  const UniqueFd slave(open(ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  REQUIRE(place.terminal().connect(std::move(master)));
  CHECK_FALSE(place.terminal().taken());
  REQUIRE(place.comes_true([&] { return place.told.hung_up > 0; }));
  CHECK(place.terminal().taken());
  // More than the kernel holds: it does not wait for a reader.
  std::size_t written = 0;
  CHECK(place.comes_true([&] {
    const ssize_t count = write(slave.get(), std::string(4096, 'x').data(), 4096);
    if (count > 0) written += static_cast<std::size_t>(count);
    return written > 1'000'000;
  }));
  place.terminal().end("{}");
  CHECK(place.comes_true([&] { return place.told.over > 0; }));
  CHECK(place.told.hung_up == 1);
  CHECK(place.told.over == 1);
}

TEST_CASE("the terminal of a run that has ended is kept for a while, or not where there is none") {
  Place place({.begun = kLong, .ended = milliseconds(50)});
  REQUIRE(place.terminal().connect(open_master()));
  place.terminal().end("{}");
  CHECK_FALSE(place.terminal().taken());
  CHECK(place.told.over == 0);
  CHECK(place.comes_true([&] { return place.told.over == 1; }));
  CHECK(place.terminal().taken());
  CHECK(place.told.hung_up == 0);

  Place none({.begun = kLong, .ended = kLong});
  none.terminal().end("{}");
  CHECK(none.told.over == 1);
}

TEST_CASE("what a sandbox gives that is no terminal is not used") {
  Place place({.begun = kLong, .ended = kLong});
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const UniqueFd writing(ends[1]);
  const auto refused = place.terminal().connect(UniqueFd(ends[0]));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text == "the sandbox gave something that is no terminal");
  REQUIRE(place.terminal().connect(open_master()));
  CHECK_FALSE(place.terminal().connect(open_master()));
  place.terminal().end("{}");
}

}  // namespace sbx::api
