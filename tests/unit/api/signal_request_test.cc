// Names and numbers of signals that a client may send.
#include "api/signal_request.h"

#include <doctest/doctest.h>

#include <csignal>

namespace sbx::api {
namespace {

Result<int> parsed(const std::string& json) { return parse_signal(*JsonObject::parse(json)); }

}  // namespace

TEST_CASE("a signal is a name with or without SIG, or its number") {
  CHECK(*parsed(R"({"signal": "TERM"})") == SIGTERM);
  CHECK(*parsed(R"({"signal": "SIGKILL"})") == SIGKILL);
  CHECK(*parsed(R"({"signal": 10})") == SIGUSR1);
}

TEST_CASE("what is no signal, or says something about a result, is refused with what there is") {
  for (const char* bad : {R"({})", R"({"signal": null})", R"({"signal": ""})", R"({"signal": "SIG"})",
                          R"({"signal": "term"})", R"({"signal": "SYS"})", R"({"signal": "SEGV"})",
                          R"({"signal": 0})", R"({"signal": 31})", R"({"signal": 64})", R"({"signal": -9})",
                          R"({"signal": 4294967305})", R"({"signal": 18446744073709551615})",
                          R"({"signal": 1.5})", R"({"signal": ["TERM"]})", R"({"signal": true})"}) {
    CAPTURE(std::string(bad));
    const auto signal = parsed(bad);
    REQUIRE_FALSE(signal);
    CHECK(signal.error().text.starts_with("'signal'"));
  }
  CHECK(parsed(R"({"signal": "SYS"})").error().text.find("'TERM'") != std::string::npos);
}

}  // namespace sbx::api
