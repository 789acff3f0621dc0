#include "http/message.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "http/response_head.h"

namespace sbx::http {
namespace {

TEST_CASE("headers are found in whatever case, tokens in lists of them") {
  Request request;
  request.headers = {{"Connection", "keep-alive ,\tUpgrade"}, {"X-A", "1"}, {"connection", "close"}};
  request.query = {{"a", "1"}, {"a", "2"}};
  REQUIRE(request.header("x-a") != nullptr);
  CHECK(*request.header("X-a") == "1");
  CHECK(request.header("X-B") == nullptr);
  CHECK(request.header_has("CONNECTION", "upgrade"));
  CHECK(request.header_has("connection", "close"));
  CHECK_FALSE(request.header_has("connection", "grade"));
  CHECK_FALSE(request.header_has("X-B", ""));
  REQUIRE(request.query_value("a") != nullptr);
  CHECK(*request.query_value("a") == "1");
  CHECK(request.query_value("A") == nullptr);
}

TEST_CASE("a problem is JSON whatever its detail holds") {
  const Response response = problem(404, "no run '\xff\"\n'");
  CHECK(response.status == 404);
  REQUIRE(response.headers.size() == 1);
  CHECK(response.headers[0].value == "application/problem+json");
  const auto json = nlohmann::json::parse(response.body);
  CHECK(json["type"] == "about:blank");
  CHECK(json["title"] == "Not Found");
  CHECK(json["status"] == 404);
  CHECK(json["detail"].get<std::string>().starts_with("no run '"));
}

TEST_CASE("dates are those of RFC 9110") {
  using std::chrono::sys_seconds;
  CHECK(http_date(sys_seconds(std::chrono::seconds(784111777))) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(http_date(sys_seconds(std::chrono::seconds(0))) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(http_date(sys_seconds(std::chrono::seconds(1709251199))) == "Thu, 29 Feb 2024 23:59:59 GMT");
}

TEST_CASE("no header of a handler begins another one, or takes the server's") {
  CHECK(may_be_sent({"Content-Type", "text/plain; charset=utf-8"}));
  CHECK(may_be_sent({"X-A", "a\tb \xC3\xA9"}));
  for (const Header& header : std::vector<Header>{{"X-A", "1\r\nX-B: 2"},
                                                  {"X-A", "1\n"},
                                                  {"X-A", std::string(1, '\0')},
                                                  {"X-A", "\x7f"},
                                                  {"X A", "1"},
                                                  {"X-A:", "1"},
                                                  {"", "1"},
                                                  {"content-length", "1"},
                                                  {"Transfer-Encoding", "chunked"},
                                                  {"Connection", "close"},
                                                  {"Date", ""},
                                                  {"Server", "x"},
                                                  {"X-Request-Id", "x"}}) {
    CAPTURE(header.name);
    CHECK_FALSE(may_be_sent(header));
  }
}

TEST_CASE("ids of requests") {
  CHECK(is_request_id("a"));
  CHECK(is_request_id("0190-Az._"));
  CHECK(is_request_id(std::string(128, 'a')));
  CHECK_FALSE(is_request_id(""));
  CHECK_FALSE(is_request_id(std::string(129, 'a')));
  CHECK_FALSE(is_request_id("a b"));
  CHECK_FALSE(is_request_id("a\r"));
  CHECK_FALSE(is_request_id("\xC3\xA9"));
}

}  // namespace
}  // namespace sbx::http
