#include <doctest/doctest.h>

#include "unit/http/served.h"

namespace sbx::test {
namespace {

using http::Exchange;
using http::Request;
using ExchangePtr = std::shared_ptr<Exchange>;

constexpr std::string_view kChunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";

// Answers with the body; counts what failed.
http::Handler echo(int& failed, std::size_t limit = 1000) {
  return [&failed, limit](const Request&, const ExchangePtr& exchange) {
    exchange->read_body(limit, [&failed, exchange](Result<std::string> body) {
      if (!body) {
        ++failed;
        CHECK_FALSE(body.error().text.empty());
        return;
      }
      answer_text(exchange, std::move(*body));
    });
  };
}

TEST_CASE("bodies with a length, in chunks, and none") {
  int failed = 0;
  Served served(echo(failed));
  Client client(served);
  CHECK(client.ask(post("/", "hello")).body == "hello");
  CHECK(client.ask(std::string(kChunked) + "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nA: b\r\n\r\n").body ==
        "hello world");
  CHECK(client.ask(get("/")).body.empty());
  CHECK(client.ask(post("/", "")).body.empty());
  CHECK((client.ask(post("/", std::string(1000, 'a'))).body == std::string(1000, 'a')));
  CHECK(failed == 0);
}

TEST_CASE("a body that arrives byte by byte") {
  int failed = 0;
  Served served(echo(failed));
  Client client(served);
  for (const char c : std::string(kChunked) + "5\r\nhello\r\n0\r\n\r\n") {
    client.send({&c, 1});
    served.turn_some();
  }
  CHECK(client.answer().body == "hello");
}

TEST_CASE("a body that is too long is answered with 413 and its limit") {
  int failed = 0;
  Served served(echo(failed, 10));
  for (const std::string& request :
       {post("/", std::string(11, 'a')),
        std::string("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"),
        std::string(kChunked) + "6\r\nhello \r\n6\r\nworld \r\n",
        std::string(kChunked) + "ffffff\r\n" + std::string(50, 'a')}) {
    Client client(served);
    const Answer answer = client.ask(request);
    CHECK(answer.status == 413);
    CHECK(answer.body.find("longer than 10 bytes") != std::string::npos);
    CHECK(client.is_closed());
  }
  CHECK(failed == 4);
}

TEST_CASE("a bad body is answered with 400") {
  int failed = 0;
  Served served(echo(failed, 1U << 20U));
  for (const std::string& body :
       {std::string("x\r\n"), std::string("5\r\nhelloworld\r\n"), std::string("FFFFFFFFFFFFFFFFF\r\n"),
        "5;" + std::string(20000, 'a'), "0\r\nA: " + std::string(20000, 'a')}) {
    CAPTURE(body.substr(0, 20));
    Client client(served);
    CHECK(client.ask(std::string(kChunked) + body).status == 400);
    CHECK(client.is_closed());
  }
  CHECK(failed == 5);
}

TEST_CASE("who asks whether to go on is told so when the body is wanted") {
  int failed = 0;
  Served served(echo(failed, 10));
  const auto ask = [](std::size_t length) {
    return "PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: " + std::to_string(length) +
           "\r\n\r\n";
  };
  Client client(served);
  CHECK(client.ask(ask(5)).status == 100);
  CHECK(client.ask("hello").body == "hello");
  // Who does not wait needs not be told.
  CHECK(client.ask(ask(5) + "hello").body == "hello");
  // And who is refused is not.
  CHECK(client.ask(ask(11)).status == 413);
  CHECK(client.is_closed());
  Client old(served);
  CHECK(old.ask("PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na").body == "a");
}

TEST_CASE("an answer before the body was read ends the connection, unless all of it is here") {
  Served served([](const Request&, const ExchangePtr& exchange) { answer_text(exchange, "no"); });
  Client small(served);
  CHECK(small.ask(post("/", "body")).body == "no");
  CHECK(small.ask(get("/")).body == "no");
  Client longer(served);
  const Answer answer = longer.ask("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
  CHECK(answer.body == "no");
  CHECK(answer.header("Connection") == "close");
  // What it still sends is taken, and no second request seen in it.
  longer.send(get("/smuggled"));
  longer.end_sending();
  CHECK(longer.is_closed());
}

TEST_CASE("a client that sends all of a long body gets the refusal that did not wait for it") {
  for (const Place place : {Place::kUnix, Place::kTcp}) {
    Served served([](const Request&, const ExchangePtr& exchange) { answer_text(exchange, "no"); }, {},
                  place);
    Client client(served);
    client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n");
    client.send(std::string(900000, 'a'));
    CHECK(client.answer().body == "no");
    CHECK(client.is_closed());
  }
}

TEST_CASE("who goes in the middle of a body is noticed by who reads it") {
  for (const std::string& start :
       {std::string("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello"), std::string(kChunked),
        std::string(kChunked) + "5\r\nhe", std::string(kChunked) + "0\r\n"}) {
    int failed = 0;
    Served served(echo(failed));
    Client client(served);
    client.send(start);
    served.until([&] { return served.server->connections() == 1; });
    served.turn_some();
    client.close();
    served.until([&] { return served.server->connections() == 0; });
    CHECK(failed == 1);
  }
}

TEST_CASE("an upload is read as fast as its parts are taken") {
  struct Upload {
    ExchangePtr exchange;
    std::size_t received = 0;
    std::function<void()> resume;
    bool ended = false;
  } upload;
  Served served([&](const Request&, const ExchangePtr& exchange) {
    upload.exchange = exchange;
    exchange->read_body_in_parts(
        1U << 30U,
        [&](std::string_view part, std::function<void()> resume) {
          upload.received += part.size();
          upload.resume = std::move(resume);
        },
        [&](const Result<void>& end) {
          upload.ended = end.has_value();
          answer_text(upload.exchange, std::to_string(upload.received));
        });
  });
  constexpr std::size_t kSize = 8U << 20U;
  Client client(served);
  client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(kSize) + "\r\n\r\n");
  const std::string block(1U << 16U, 'x');
  std::size_t sent = 0;
  const auto send_all_there_is_room_for = [&] {
    for (std::size_t now = 1; now > 0 && sent < kSize; sent += now) {
      now = client.send_some(std::string_view(block).substr(0, kSize - sent));
    }
  };
  // Nobody takes the first part: the client cannot send more than the kernel and we hold.
  for (int i = 0; i < 50; ++i) {
    send_all_there_is_room_for();
    served.turn_some();
  }
  CHECK(upload.received > 0);
  CHECK(upload.received <= 65536);
  CHECK(sent < kSize / 2);
  served.until([&] {
    if (upload.resume) std::exchange(upload.resume, nullptr)();
    send_all_there_is_room_for();
    return upload.ended;
  });
  CHECK(client.answer().body == std::to_string(kSize));
  upload.exchange.reset();
}

TEST_CASE("parts may be taken at once, and the upload refused in the middle") {
  std::size_t received = 0;
  Served served([&](const Request& request, const ExchangePtr& exchange) {
    const bool refuse = request.path == "/refuse";
    exchange->read_body_in_parts(
        1U << 20U,
        [&received, refuse, exchange](std::string_view part, const std::function<void()>& resume) {
          received += part.size();
          if (refuse) return exchange->respond(http::problem(409, "no more"));
          resume();
          resume();
        },
        [exchange](const Result<void>&) { answer_text(exchange, "all"); });
  });
  Client client(served);
  std::string chunks;
  for (int i = 0; i < 10000; ++i) chunks += "1\r\na\r\n";
  client.send(std::string(kChunked) + chunks + "0\r\n\r\n");
  CHECK(client.answer().body == "all");
  CHECK(received == 10000);
  received = 0;
  Client refused(served);
  refused.send("PUT /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nhello");
  CHECK(refused.answer().status == 409);
  CHECK(received == 5);
  CHECK(refused.is_closed());
}

}  // namespace
}  // namespace sbx::test
