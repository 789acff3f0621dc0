#include "http/request_parser.h"

#include <doctest/doctest.h>

namespace sbx::http {
namespace {

struct Parsed {
  RequestHead head;
  std::string body;
  bool done = false;
  std::string_view rest;
  std::optional<ParseFailure> failure;
};

// `step`: how many bytes arrive at once.
Parsed parse(std::string_view text, std::size_t step = 1U << 20U, std::size_t limit = 16384) {
  RequestParser parser(limit);
  Parsed parsed;
  std::size_t begin = 0;
  std::size_t end = 0;
  while (!parser.done()) {
    bool stuck = begin == end;
    if (!stuck) {
      const auto used = parser.parse(text.substr(begin, end - begin));
      if (!used) {
        parsed.failure = used.error();
        return parsed;
      }
      parsed.body += parser.body();
      begin += *used;
      stuck = *used == 0;
    }
    if (stuck && end == text.size()) break;
    if (stuck) end = std::min(text.size(), end + step);
  }
  if (parser.head_done()) parsed.head = parser.head();
  parsed.done = parser.done();
  parsed.rest = text.substr(begin);
  return parsed;
}

TEST_CASE("a request is the same however its bytes arrive") {
  const std::string text =
      "POST /a?b HTTP/1.1\r\nHost: x\r\nX-A:  1 \t\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "5;a=b\r\nhello\r\n1\r\n \r\n00A\r\n0123456789\r\n0\r\nX-Trailer: y\r\n\r\nGET /";
  for (const std::size_t step : {1U, 2U, 3U, 7U, 1000U}) {
    CAPTURE(step);
    const Parsed parsed = parse(text, step);
    REQUIRE_FALSE(parsed.failure);
    CHECK(parsed.done);
    CHECK(parsed.head.method == "POST");
    CHECK(parsed.head.target == "/a?b");
    CHECK(parsed.head.http_1_1);
    CHECK(parsed.head.keep_alive);
    CHECK(parsed.head.chunked);
    REQUIRE(parsed.head.headers.size() == 3);
    CHECK(parsed.head.headers[1].value == "1");
    CHECK(parsed.body == "hello 0123456789");
    CHECK(parsed.rest.size() <= 5);
  }
}

TEST_CASE("whether the connection goes on") {
  CHECK(parse("GET / HTTP/1.1\r\nHost: x\r\n\r\n").head.keep_alive);
  CHECK_FALSE(parse("GET / HTTP/1.1\r\nHost: x\r\nConnection: x, Close\r\n\r\n").head.keep_alive);
  CHECK_FALSE(parse("GET / HTTP/1.0\r\n\r\n").head.keep_alive);
  CHECK(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").head.keep_alive);
}

TEST_CASE("a body has the length that is said") {
  const Parsed parsed = parse("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcdef", 5);
  CHECK(parsed.done);
  CHECK(parsed.body == "abc");
  CHECK(parsed.head.content_length == 3U);
  CHECK(parse("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").done);
  CHECK_FALSE(parse("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabc").done);
}

TEST_CASE("what is no request, or could be two, is refused") {
  const std::string start = "POST / HTTP/1.1\r\nHost: x\r\n";
  const std::vector<std::string> requests = {
      // The request line.
      "GET\r\n\r\n",
      " GET / HTTP/1.1\r\nHost: x\r\n\r\n",
      "G@T / HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET / HTTP/2.0\r\nHost: x\r\n\r\n",
      "GET / HTTP/1.2\r\nHost: x\r\n\r\n",
      "GET / HTTP/0.9\r\n\r\n",
      "GET / http/1.1\r\nHost: x\r\n\r\n",
      "GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
      "GET / HTTP/1.1\nHost: x\n\n\n\n",
      "GET / HTTP/1.1\r\r\nHost: x\r\n\r\n",
      "GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
      std::string("GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", 29),
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "\x16\x03\x01\x02",
      // Headers.
      "GET / HTTP/1.1\r\n\r\n",
      start + "Host: y\r\n\r\n",
      start + "X-A : 1\r\n\r\n",
      start + " X-A: 1\r\n\r\n",
      start + "X-A: 1\r\n 2\r\n\r\n",
      start + "X-A: \r\n\t2\r\n\r\n",
      start + ": 1\r\n\r\n",
      start + "X-A\r\n\r\n",
      start + "X\x01: 1\r\n\r\n",
      start + "X\xC3\xA9: 1\r\n\r\n",
      start + "X-A: \x01\r\n\r\n",
      start + "X-A: \x7f\r\n\r\n",
      start + "X-A: a\rb\r\n\r\n",
      start + "X-A: a\nX-B: b\r\n\r\n",
      start + std::string("X-A: \0\r\n\r\n", 9),
      // Lengths.
      start + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      start + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
      start + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
      start + "Content-Length: 1, 1\r\n\r\n",
      start + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
      start + "Content-Length: -1\r\n\r\n",
      start + "Content-Length: +1\r\n\r\n",
      start + "Content-Length: 1 2\r\n\r\n",
      start + "Content-Length: 0x1\r\n\r\n",
      start + "Content-Length:\r\n\r\n",
      start + "Content-Length: 18446744073709551616\r\n\r\n",
      start + "Transfer-Encoding: gzip\r\n\r\n",
      start + "Transfer-Encoding: chunked, gzip\r\n\r\n",
      start + "Transfer-Encoding: gzip, chunked\r\n\r\n",
      start + "Transfer-Encoding: identity\r\n\r\n",
      start + "Transfer-Encoding: xchunked\r\n\r\n",
      start + "Transfer-Encoding:\r\n\r\n",
      start + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
      start + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
      "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
  };
  for (const std::string& text : requests) {
    for (const std::size_t step : {1U, 1000U}) {
      CAPTURE(text);
      CAPTURE(step);
      const Parsed parsed = parse(text + "00000\r\n\r\n", step);
      CHECK(parsed.failure);
      if (parsed.failure) CHECK(parsed.failure->status == 400);
    }
  }
}

TEST_CASE("a chunk that is none is refused") {
  const std::string start = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string& body : std::vector<std::string>{
           "x\r\n", "-1\r\n", " 1\r\na\r\n", "0x1\r\na\r\n", "1 \r\na\r\n", "1\r\nab\r\n", "1\na\n0\n\n",
           "\r\n\r\n", "10000000000000000\r\na\r\n", "FFFFFFFFFFFFFFFFF\r\n", "1;\x01\r\na\r\n",
           "1\r\na0\r\n\r\n", "0\r\nA: \x01\r\n\r\n", "0\r\nA: b\nC: d\r\n\r\n", "1;a\nb\r\na\r\n"}) {
    for (const std::size_t step : {1U, 1000U}) {
      CAPTURE(body);
      CAPTURE(step);
      CHECK(parse(start + body + "\r\n\r\n\r\n", step).failure);
    }
  }
}

TEST_CASE("the head has a limit, to the byte, however it arrives") {
  const std::string start = "GET / HTTP/1.1\r\nHost: x\r\nX-A: ";
  for (const std::size_t step : {1U, 100U, 100000U}) {
    CAPTURE(step);
    const std::string most = start + std::string(1000 - start.size() - 4, 'a') + "\r\n\r\n";
    REQUIRE(most.size() == 1000);
    CHECK(parse(most, step, 1000).done);
    const Parsed longer =
        parse("GET / HTTP/1.1\r\nHost: x\r\nX-AA: " + most.substr(start.size()), step, 1000);
    REQUIRE(longer.failure);
    CHECK(longer.failure->status == 431);
    const Parsed endless = parse(start + std::string(5000, 'a'), step, 1000);
    REQUIRE(endless.failure);
    CHECK(endless.failure->status == 431);
    const Parsed line = parse("GET /" + std::string(5000, 'a'), step, 1000);
    REQUIRE(line.failure);
    CHECK(line.failure->status == 414);
  }
  const Parsed target = parse("GET /" + std::string(8192, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(target.failure);
  CHECK(target.failure->status == 414);
  std::string many = "GET / HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 128; ++i) many += "a:\r\n";
  const Parsed headers = parse(many + "\r\n");
  REQUIRE(headers.failure);
  CHECK(headers.failure->status == 431);
}

}  // namespace
}  // namespace sbx::http
