#include "http/server.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "unit/http/served.h"

namespace sbx::test {
namespace {

using http::Exchange;
using http::Request;
using ExchangePtr = std::shared_ptr<Exchange>;

void echo_target(const Request& request, const ExchangePtr& exchange) {
  answer_text(exchange, request.target);
}

TEST_CASE("a request is answered, on a Unix socket and over TCP") {
  for (const Place place : {Place::kUnix, Place::kTcp}) {
    Request seen;
    Served served(
        [&](Request request, const ExchangePtr& exchange) {
          seen = std::move(request);
          answer_text(exchange, "hello");
        },
        {}, place);
    Client client(served);
    const Answer answer = client.ask(get("/a%20b?c=d", {"X-A: 1", "X-Request-Id: my-id"}));
    CHECK(answer.status == 200);
    CHECK(answer.body == "hello");
    CHECK(answer.head.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(answer.header("Server") == "sbx");
    CHECK(answer.header("Date").ends_with(" GMT"));
    CHECK(answer.header("X-Request-Id") == "my-id");
    CHECK(answer.header("Content-Type") == "text/plain");
    CHECK(answer.header("Connection").empty());
    CHECK(seen.method == "GET");
    CHECK(seen.target == "/a%20b?c=d");
    CHECK(seen.path == "/a b");
    REQUIRE(seen.query_value("c") != nullptr);
    CHECK(*seen.query_value("c") == "d");
    REQUIRE(seen.header("x-a") != nullptr);
    CHECK(seen.request_id == "my-id");
    CHECK_FALSE(seen.peer.encrypted);
    CHECK(seen.peer.local == (place == Place::kUnix));
    if (place == Place::kUnix) {
      CHECK(seen.peer.uid == geteuid());
      CHECK(seen.peer.gid == getegid());
      CHECK(seen.peer.pid == getpid());
      std::vector<gid_t> groups(static_cast<std::size_t>(getgroups(0, nullptr)));
      (void)getgroups(static_cast<int>(groups.size()), groups.data());
      std::sort(groups.begin(), groups.end());
      std::sort(seen.peer.groups.begin(), seen.peer.groups.end());
      CHECK(seen.peer.groups == groups);
    } else {
      CHECK(seen.peer.address == "127.0.0.1");
      CHECK(seen.peer.port != 0);
    }
  }
}

TEST_CASE("a connection goes on with the next request, or ends as both sides wish") {
  Served served(echo_target);
  Client client(served);
  CHECK(client.ask(get("/1")).body == "/1");
  CHECK(client.ask("\r\n" + get("/2")).body == "/2");
  CHECK(served.server->connections() == 1);
  const Answer last = client.ask(get("/3", {"Connection: close"}));
  CHECK(last.body == "/3");
  CHECK(last.header("Connection") == "close");
  CHECK(client.is_closed());

  Client old(served);
  const Answer kept = old.ask("GET /4 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(kept.header("Connection") == "keep-alive");
  const Answer end = old.ask("GET /5 HTTP/1.0\r\n\r\n");
  CHECK(end.body == "/5");
  CHECK(old.is_closed());
  client.close();
  old.close();
  served.until([&] { return served.server->connections() == 0; });
}

TEST_CASE("a request that arrives byte by byte") {
  Served served(echo_target);
  Client client(served);
  for (const char c : get("/slow")) {
    client.send({&c, 1});
    served.turn_some();
  }
  CHECK(client.answer().body == "/slow");
}

TEST_CASE("requests sent ahead are answered in order, one at a time") {
  std::vector<ExchangePtr> waiting;
  std::vector<std::string> targets;
  Served served([&](const Request& request, const ExchangePtr& exchange) {
    targets.push_back(request.target);
    waiting.push_back(exchange);
  });
  Client client(served);
  client.send(get("/1") + post("/2", "body") + get("/3"));
  for (std::size_t i = 1; i <= 3; ++i) {
    served.until([&] { return waiting.size() == i; });
    served.turn_some();
    REQUIRE(waiting.size() == i);
    if (i == 2) {
      waiting[1]->read_body(100, [&](const Result<std::string>& body) {
        REQUIRE(body);
        answer_text(waiting[1], *body);
      });
    } else {
      answer_text(waiting[i - 1], targets[i - 1]);
    }
    CHECK(client.answer().body == (i == 2 ? "body" : targets[i - 1]));
    CHECK(waiting[i - 1]->over());
  }
}

TEST_CASE("many requests sent ahead do not deepen the stack or the memory") {
  Served served(echo_target);
  Client client(served);
  std::string requests;
  for (int i = 0; i < 2000; ++i) requests += get("/" + std::to_string(i));
  std::size_t sent = 0;
  for (int i = 0; i < 2000; ++i) {
    sent += client.send_some(std::string_view(requests).substr(sent));
    REQUIRE(client.answer().body == "/" + std::to_string(i));
  }
}

TEST_CASE("HEAD is answered without a body, with its length") {
  Served served(echo_target);
  Client client(served);
  client.send("HEAD /four HTTP/1.1\r\nHost: x\r\n\r\n");
  const Answer answer = client.answer(true);
  CHECK(answer.status == 200);
  CHECK(answer.header("Content-Length") == "5");
  CHECK(client.ask(get("/next")).body == "/next");
}

TEST_CASE("answers without a body have no length") {
  Served served([](const Request& request, const ExchangePtr& exchange) {
    exchange->respond({std::stoi(request.path.substr(1)), {}, "not sent"});
  });
  Client client(served);
  for (const std::string status : {"204", "304"}) {
    const Answer answer = client.ask(get("/" + status));
    CHECK(std::to_string(answer.status) == status);
    CHECK(answer.header("Content-Length").empty());
  }
  CHECK(client.ask(get("/404")).body == "not sent");
  CHECK(client.ask(get("/101")).status == 500);
  CHECK(client.ask(get("/999")).status == 500);
}

TEST_CASE("what is no request gets a problem and the end of the connection") {
  Served served(echo_target);
  struct Row {
    std::string request;
    int status;
  };
  for (const Row& row : std::vector<Row>{{"nonsense\r\n\r\n", 400},
                                         {"GET / HTTP/1.1\r\n\r\n", 400},
                                         {get("/../etc"), 400},
                                         {get("*"), 400},
                                         {"CONNECT host:80 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
                                         {get("/", {"Expect: magic"}), 417},
                                         {get("/", {"Content-Length: 1", "Transfer-Encoding: chunked"}), 400},
                                         {get("/" + std::string(20000, 'a')), 414},
                                         {get("/" + std::string(9000, 'a')), 414},
                                         {get("/", {"X: " + std::string(20000, 'a')}), 431}}) {
    CAPTURE(row.request.substr(0, 50));
    Client client(served);
    const Answer answer = client.ask(row.request + get("/never"));
    CHECK(answer.status == row.status);
    CHECK(answer.header("Content-Type") == "application/problem+json");
    CHECK(answer.header("Connection") == "close");
    CHECK(answer.header("X-Request-Id").size() == 36);
    const auto json = nlohmann::json::parse(answer.body);
    CHECK(json["status"] == row.status);
    CHECK_FALSE(json["detail"].get<std::string>().empty());
    CHECK(client.is_closed());
  }
}

TEST_CASE("an id that is none is replaced") {
  Served served(echo_target);
  Client client(served);
  CHECK(client.ask(get("/", {"X-Request-Id: a b"})).header("X-Request-Id").size() == 36);
  CHECK(client.ask(get("/", {"X-Request-Id:"})).header("X-Request-Id").size() == 36);
}

TEST_CASE("an exchange that is let go is answered with 500, a header that cannot be sent is not") {
  Served served([](const Request& request, const ExchangePtr& exchange) {
    if (request.path == "/header") exchange->respond({200, {{"X-A", "1\r\nX-B: 2"}}, "x"});
  });
  Client client(served);
  CHECK(client.ask(get("/")).status == 500);
  const Answer answer = client.ask(get("/header"));
  CHECK(answer.status == 500);
  CHECK(answer.header("X-B").empty());
}

TEST_CASE("only the first answer counts, and calls after the end do nothing") {
  ExchangePtr kept;
  Served served([&](const Request&, const ExchangePtr& exchange) {
    kept = exchange;
    answer_text(exchange, "first");
    answer_text(exchange, "second");
    exchange->start_stream(200, {});
    exchange->write("x", {});
    exchange->finish();
  });
  Client client(served);
  CHECK(client.ask(get("/")).body == "first");
  const ExchangePtr old = kept;
  CHECK(old->over());
  CHECK(old->peer_socket() == -1);
  CHECK(client.ask(get("/")).body == "first");
  answer_text(old, "late");
  old->start_stream(200, {});
  old->write("late", {});
  old->finish();
  old->abort();
  old->read_body(1, [](const Result<std::string>&) { FAIL("called"); });
  old->on_client_gone([] { FAIL("called"); });
  old->take_over("x", {}, [](const Result<UniqueFd>&) { FAIL("called"); });
  old->accept_websocket({}, [](const Result<std::shared_ptr<http::WebSocket>>&) { FAIL("called"); });
  CHECK(old->queued_bytes() == 0);
  CHECK(client.ask(get("/")).body == "first");
}

TEST_CASE("a client that goes while it waits is noticed") {
  for (const Place place : {Place::kUnix, Place::kTcp}) {
    int gone = 0;
    ExchangePtr waiting;
    Served served(
        [&](const Request& request, const ExchangePtr& exchange) {
          waiting = exchange;
          exchange->on_client_gone([&gone, exchange] { ++gone; });
          if (request.method == "POST") {
            exchange->read_body(100, [](const Result<std::string>& body) { CHECK(body); });
          }
        },
        {}, place);
    for (const std::string& request : {get("/"), post("/", "body"), get("/") + get("/ahead")}) {
      Client client(served);
      client.send(request);
      served.until([&] { return waiting != nullptr; });
      served.turn_some();
      CHECK(gone == 0);
      client.close();
      served.until([&] { return gone == 1; });
      // It is answered all the same: it could have closed its sending side only.
      served.until([&] {
        if (waiting) answer_text(std::exchange(waiting, nullptr), "late");
        return served.server->connections() == 0;
      });
      gone = 0;
    }
  }
}

TEST_CASE("a client that only sends no more gets its answer") {
  Served served([](const Request&, const ExchangePtr& exchange) {
    exchange->on_client_gone([exchange] { answer_text(exchange, "for you still"); });
  });
  Client client(served);
  client.send(get("/"));
  client.end_sending();
  CHECK(client.answer().body == "for you still");
  CHECK(client.is_closed());
}

TEST_CASE("who goes in the middle of a request leaves nothing") {
  Served served(echo_target);
  for (const std::string_view start :
       {"", "\r", "G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: x\r\n"}) {
    for (const bool whole : {true, false}) {
      Client client(served);
      client.send(start);
      served.until([&] { return served.server->connections() == 1; });
      served.turn_some();
      if (whole) {
        client.close();
      } else {
        client.end_sending();
        CHECK(client.is_closed());
      }
      served.until([&] { return served.server->connections() == 0; });
    }
  }
}

TEST_CASE("the socket of a client can be asked who it is") {
  int fd = -1;
  Served served([&](const Request&, const ExchangePtr& exchange) {
    fd = exchange->peer_socket();
    struct stat status {};
    CHECK(fstat(fd, &status) == 0);
    CHECK(S_ISSOCK(status.st_mode));
    answer_text(exchange, "");
  });
  Client client(served);
  CHECK(client.ask(get("/")).status == 200);
  CHECK(fd >= 0);
}

}  // namespace
}  // namespace sbx::test
