#include <doctest/doctest.h>

#include "unit/http/served.h"

namespace sbx::test {
namespace {

using http::Exchange;
using http::Request;
using ExchangePtr = std::shared_ptr<Exchange>;

TEST_CASE("a server that stops ends each connection in its way") {
  ExchangePtr waiting;
  ExchangePtr stream;
  std::shared_ptr<http::WebSocket> socket;
  Served served([&](const Request& request, const ExchangePtr& exchange) {
    if (request.path == "/idle") return answer_text(exchange, "done");
    if (request.path == "/wait") waiting = exchange;
    if (request.path == "/events") {
      stream = exchange;
      exchange->start_stream(200, {});
      exchange->on_stopping([exchange] { exchange->finish(); });
    }
    if (request.path == "/socket") {
      exchange->accept_websocket({}, [&](Result<std::shared_ptr<http::WebSocket>> made) {
        REQUIRE(made);
        socket = std::move(*made);
      });
    }
  });
  Client idle(served);
  CHECK(idle.ask(get("/idle")).status == 200);
  Client waits(served);
  waits.send(get("/wait"));
  Client listens(served);
  listens.send(get("/events"));
  Client talks(served);
  CHECK(talks.ask(upgrade_to_websocket("/socket")).status == 101);
  served.until([&] { return waiting && stream && socket; });
  CHECK(served.server->connections() == 4);

  served.server->stop_accepting();
  served.server->close_idle();
  CHECK(idle.is_closed());
  idle.close();
  served.until([&] { return served.server->connections() == 3; });
  answer_text(waiting, "at last");
  const Answer last = waits.answer();
  CHECK(last.body == "at last");
  CHECK(last.header("Connection") == "close");
  waits.close();
  served.server->end_streams();
  CHECK(listens.answer().body.empty());
  listens.close();
  const Frame close = next_frame(talks);
  CHECK(close.opcode == 8);
  CHECK(close.payload.substr(0, 2) == "\x03\xE9");  // 1001
  talks.send(frame(8, close.payload));
  CHECK(talks.is_closed());
  talks.close();
  served.until([&] { return served.server->connections() == 0; });
  waiting.reset();
  stream.reset();
  socket.reset();
}

TEST_CASE("what does not end is cut, and everybody hears of it") {
  int gone = 0;
  int closed = 0;
  ExchangePtr waiting;
  Served served([&](const Request& request, const ExchangePtr& exchange) {
    if (request.path == "/wait") {
      waiting = exchange;
      return exchange->on_client_gone([&] { ++gone; });
    }
    exchange->accept_websocket({}, [&](Result<std::shared_ptr<http::WebSocket>> made) {
      REQUIRE(made);
      (*made)->on_closed([&](std::uint16_t code, std::string_view) {
        CHECK(code == http::kCloseAbnormal);
        ++closed;
      });
    });
  });
  Client waits(served);
  waits.send(get("/wait"));
  Client talks(served);
  CHECK(talks.ask(upgrade_to_websocket("/")).status == 101);
  Client half(served);
  half.send("GET / HT");
  served.until([&] { return waiting && served.server->connections() == 3; });
  served.server->cut_all();
  served.until([&] { return gone == 1 && closed == 1 && served.server->connections() == 0; });
  CHECK(waits.is_closed());
  CHECK(talks.is_closed());
  CHECK(half.is_closed());
  waiting.reset();
}

TEST_CASE("an exchange outlives its server") {
  ExchangePtr kept;
  {
    Served served([&](const Request&, const ExchangePtr& exchange) { kept = exchange; });
    Client client(served);
    client.send(get("/"));
    served.until([&] { return kept != nullptr; });
    served.server.reset();
    CHECK(kept->over());
    answer_text(kept, "nobody");
  }
  kept.reset();
}

}  // namespace
}  // namespace sbx::test
