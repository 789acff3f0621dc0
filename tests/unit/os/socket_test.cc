#include "os/socket.h"

#include <doctest/doctest.h>

namespace sbx {
namespace {

TEST_CASE("what was sent before the other end closed is received, also when that end left something unread") {
  for (const bool unread : {false, true}) {
    CAPTURE(unread);
    auto pair = os::seqpacket_pair();
    REQUIRE(pair);
    auto& [ours, theirs] = *pair;
    if (unread) REQUIRE(os::send_message(ours.get(), "a signal"));
    REQUIRE(os::send_message(theirs.get(), "the answer"));
    theirs.reset();
    const auto message = os::receive_message(ours.get(), 100);
    REQUIRE(message);
    REQUIRE(*message);
    CHECK((*message)->bytes == "the answer");
    const auto end = os::receive_message(ours.get(), 100);
    REQUIRE(end);
    CHECK_FALSE(*end);
  }
}

}  // namespace
}  // namespace sbx
