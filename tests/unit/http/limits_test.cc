#include <doctest/doctest.h>
#include <sys/resource.h>

#include "unit/http/served.h"

namespace sbx::test {
namespace {

using http::Exchange;
using http::Request;
using http::ServerLimits;
using std::chrono::milliseconds;
using ExchangePtr = std::shared_ptr<Exchange>;

void echo_target(const Request& request, const ExchangePtr& exchange) {
  answer_text(exchange, request.target);
}

ServerLimits short_times() {
  ServerLimits limits;
  limits.header_timeout = milliseconds(30);
  limits.idle_timeout = milliseconds(30);
  limits.stall_timeout = milliseconds(30);
  limits.linger_timeout = milliseconds(30);
  return limits;
}

TEST_CASE("a request that does not end is answered with 408, however slowly it grows") {
  Served served(echo_target, short_times());
  Client client(served);
  client.send("GET / HTTP/1.1\r\nHost: x\r\nX: ");
  served.until([&] {
    (void)client.send_some("y");
    return client.receive() || !client.received().empty();
  });
  CHECK(client.answer().status == 408);
}

TEST_CASE("a connection that asks nothing is closed without a word") {
  Served served(echo_target, short_times());
  Client silent(served);
  CHECK(silent.is_closed());
  Client empty_lines(served);
  empty_lines.send("\r\n\r\n\r");
  CHECK(empty_lines.is_closed());
  Client used(served);
  CHECK(used.ask(get("/a")).body == "/a");
  CHECK(used.is_closed());
}

TEST_CASE("no time runs while a handler works") {
  ExchangePtr waiting;
  Served served([&](const Request&, const ExchangePtr& exchange) { waiting = exchange; }, short_times());
  Client client(served);
  client.send(get("/"));
  const auto start = std::chrono::steady_clock::now();
  served.until([&] { return std::chrono::steady_clock::now() - start > milliseconds(100); });
  REQUIRE(waiting != nullptr);
  CHECK_FALSE(waiting->over());
  answer_text(waiting, "late");
  CHECK(client.answer().body == "late");
}

TEST_CASE("a body that does not arrive is answered with 408; a handler that pauses is not") {
  int failed = 0;
  std::function<void()> resume;
  Served served(
      [&](const Request&, const ExchangePtr& exchange) {
        exchange->read_body_in_parts(
            1000, [&](std::string_view, std::function<void()> then) { resume = std::move(then); },
            [&failed, exchange](const Result<void>& end) {
              if (!end) ++failed;
              if (end) answer_text(exchange, "all");
            });
      },
      short_times());
  Client client(served);
  client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello");
  served.until([&] { return resume != nullptr; });
  const auto start = std::chrono::steady_clock::now();
  served.until([&] { return std::chrono::steady_clock::now() - start > milliseconds(100); });
  CHECK(failed == 0);
  std::exchange(resume, nullptr)();
  CHECK(client.answer().status == 408);
  CHECK(failed == 1);
}

TEST_CASE("who never reads and never closes does not hold a connection that is to end") {
  Served served([](const Request&, const ExchangePtr& exchange) { answer_text(exchange, "bye"); },
                short_times());
  Client client(served);
  client.send(get("/", {"Connection: close"}));
  CHECK(client.answer().body == "bye");
  served.until([&] { return served.server->connections() == 0; });
}

TEST_CASE("a thousand connections above the limit are refused, and the others work") {
  ServerLimits limits;
  limits.connections = 20;
  limits.connections_of_one = 1000;
  Served served(echo_target, limits);
  std::vector<std::unique_ptr<Client>> good;
  for (std::size_t i = 0; i < limits.connections; ++i) {
    good.push_back(std::make_unique<Client>(served));
    CHECK(good.back()->ask(get("/a")).status == 200);
  }
  for (int round = 0; round < 10; ++round) {
    std::vector<std::unique_ptr<Client>> refused;
    for (int i = 0; i < 100; ++i) {
      refused.push_back(std::make_unique<Client>(served));
      (void)refused.back()->send_some(get("/b"));
    }
    for (const auto& client : refused) {
      const Answer answer = client->answer();
      REQUIRE(answer.status == 503);
      CHECK(answer.header("Content-Type") == "application/problem+json");
      CHECK(client->is_closed());
    }
    CHECK(served.server->connections() == limits.connections);
  }
  for (const auto& client : good) CHECK(client->ask(get("/c")).body == "/c");
  good.clear();
  served.until([&] { return served.server->connections() == 0; });
  Client next(served);
  CHECK(next.ask(get("/d")).body == "/d");
}

TEST_CASE("one user or address has a limit of its own") {
  for (const Place place : {Place::kUnix, Place::kTcp}) {
    ServerLimits limits;
    limits.connections_of_one = 2;
    Served served(echo_target, limits, place);
    Client one(served);
    Client two(served);
    CHECK(one.ask(get("/1")).status == 200);
    CHECK(two.ask(get("/2")).status == 200);
    Client three(served);
    const Answer answer = three.ask(get("/3"));
    CHECK(answer.status == 503);
    CHECK(answer.body.find("you have") != std::string::npos);
    one.close();
    served.until([&] { return served.server->connections() == 1; });
    Client four(served);
    CHECK(four.ask(get("/4")).status == 200);
  }
}

TEST_CASE("without free descriptors the server waits, and goes on when there are some") {
  Served served(echo_target);
  Client client(served);
  Client later(served);
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  const UniqueFd next(dup(client.fd()));
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(next.get());
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  served.turn_some();
  const bool nobody = served.server->connections() == 0;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(nobody);
  CHECK(client.ask(get("/a")).body == "/a");
  CHECK(later.ask(get("/b")).body == "/b");
}

}  // namespace
}  // namespace sbx::test
