#include "http/websocket.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "unit/http/served.h"

namespace sbx::test {
namespace {

using http::Exchange;
using http::Request;
using http::WebSocket;
using ExchangePtr = std::shared_ptr<Exchange>;

// Echoes messages; notes how it ended.
struct Echo {
  explicit Echo(http::ServerLimits limits = {}) : served(handler(), limits) {}

  Served served;  // first: it ends last
  http::WebSocketOptions options;
  std::shared_ptr<WebSocket> socket;
  int failed = 0;
  int closed = 0;
  std::uint16_t code = 0;
  std::string reason;

  http::Handler handler() {
    return [this](const Request& request, const ExchangePtr& exchange) {
      if (request.path == "/plain") return answer_text(exchange, "plain");
      exchange->accept_websocket(options, [this](Result<std::shared_ptr<WebSocket>> made) {
        if (!made) {
          ++failed;
          return;
        }
        socket = std::move(*made);
        socket->on_message([this](std::string_view message, bool text) {
          if (text) return socket->send_text(std::string(message), {});
          socket->send_binary(std::string(message), {});
        });
        socket->on_closed([this](std::uint16_t why, std::string_view text) {
          ++closed;
          code = why;
          reason = text;
        });
      });
    };
  }
};

std::string code_of(const Frame& frame) {
  if (frame.opcode != 8 || frame.payload.size() < 2) return "no close with a code";
  return std::to_string(static_cast<unsigned char>(frame.payload[0]) * 256 +
                        static_cast<unsigned char>(frame.payload[1]));
}

TEST_CASE("the upgrade is the one of RFC 6455") {
  Echo echo;
  echo.options.protocol = "sbx.v1";
  echo.options.headers = {{"X-Run", "r-1"}};
  Served& served = echo.served;
  Client client(served);
  CHECK(client.ask(get("/plain")).body == "plain");
  const Answer answer = client.ask(upgrade_to_websocket());
  CHECK(answer.status == 101);
  CHECK(answer.header("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(answer.header("Sec-WebSocket-Protocol") == "sbx.v1");
  CHECK(answer.header("Sec-WebSocket-Extensions").empty());
  CHECK(answer.header("Server") == "sbx");
  CHECK(answer.header("X-Run") == "r-1");
  CHECK(answer.header("X-Request-Id").size() == 36);
  CHECK(answer.header("Date").ends_with("GMT"));
}

TEST_CASE("an upgrade that is none is refused") {
  Echo echo;
  Served& served = echo.served;
  Client client(served);
  const std::string key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  const std::string version = "Sec-WebSocket-Version: 13";
  const std::string connection = "Connection: Upgrade";
  const std::string upgrade = "Upgrade: websocket";
  struct Row {
    std::vector<std::string> headers;
    int status;
  };
  const std::vector<Row> rows = {
      {{}, 426},
      {{connection, key, version}, 426},
      {{upgrade, key, version}, 426},
      {{connection, "Upgrade: h2c", key, version}, 426},
      {{connection, upgrade, key}, 426},
      {{connection, upgrade, key, "Sec-WebSocket-Version: 8"}, 426},
      {{connection, upgrade, version}, 400},
      {{connection, upgrade, version, "Sec-WebSocket-Key: short"}, 400},
      {{connection, upgrade, version, "Sec-WebSocket-Key: " + std::string(24, '=')}, 400}};
  for (const Row& row : rows) CHECK(client.ask(get("/", row.headers)).status == row.status);
  CHECK(echo.failed == static_cast<int>(rows.size()));
  std::string posted = upgrade_to_websocket();
  posted.replace(0, 3, "POST");
  CHECK(client.ask(posted).status == 400);
}

TEST_CASE("text and bytes of any length arrive whole") {
  Echo echo;
  Served& served = echo.served;
  Client client(served);
  CHECK(client.ask(upgrade_to_websocket()).status == 101);
  for (const std::size_t size : {0U, 1U, 125U, 126U, 65535U, 65536U, 500000U}) {
    for (const unsigned opcode : {1U, 2U}) {
      const std::string message(size, 'a');
      client.send(frame(opcode, message));
      const Frame back = next_frame(client);
      CHECK(back.opcode == opcode);
      CHECK(back.last);
      CHECK((back.payload == message));
    }
  }
}

TEST_CASE("fragments are put together, with control frames between them") {
  Echo echo;
  Served& served = echo.served;
  Client client(served);
  CHECK(client.ask(upgrade_to_websocket()).status == 101);
  // "é" in two fragments; and all byte by byte.
  for (const char c : frame(1, "a\xC3", false) + frame(9, "ping") + frame(0, "", false) + frame(10, "pong") +
                          frame(0, "\xA9z")) {
    client.send({&c, 1});
    served.turn_some();
  }
  const Frame pong = next_frame(client);
  CHECK(pong.opcode == 10);
  CHECK(pong.payload == "ping");
  CHECK(next_frame(client).payload == "a\xC3\xA9z");
}

TEST_CASE("what breaks the protocol closes the connection with the code for it") {
  struct Row {
    std::string name;
    std::string bytes;
    std::string code;
  };
  const std::vector<Row> rows = {
      {"not masked", frame(1, "a", true, false), "1002"},
      {"unknown opcode", frame(3, "a"), "1002"},
      {"reserved bit", "\xC1" + frame(1, "a").substr(1), "1002"},
      {"continuation of nothing", frame(0, "a"), "1002"},
      {"new message inside another", frame(1, "a", false) + frame(1, "b"), "1002"},
      {"long ping", frame(9, std::string(126, 'a')), "1002"},
      {"ping in fragments", frame(9, "a", false), "1002"},
      {"close with one byte", frame(8, "a"), "1002"},
      {"close with a code that is none", frame(8, std::string("\x03\xEC", 2)), "1002"},
      {"close with bad text", frame(8, "\x03\xE8\xff"), "1002"},
      {"bad text", frame(1, "a\xff"), "1007"},
      {"text that ends early", frame(1, "\xC3"), "1007"},
      {"surrogate", frame(1, "\xED\xA0\x80"), "1007"},
      {"too long", frame(2, std::string(1001, 'a')), "1009"},
      {"too long in fragments", frame(2, std::string(600, 'a'), false) + frame(0, std::string(600, 'a')),
       "1009"},
      {"length that wraps", "\x82\xFF" + std::string(8, '\xFF') + "mask", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Echo echo;
    echo.options.most_message_bytes = 1000;
    Served& served = echo.served;
    Client client(served);
    REQUIRE(client.ask(upgrade_to_websocket()).status == 101);
    client.send(row.bytes);
    const Frame close = next_frame(client);
    CHECK(close.opcode == 8);
    if (!row.code.empty()) CHECK(code_of(close) == row.code);
    client.close();
    served.until([&] { return echo.closed == 1 && served.server->connections() == 0; });
    CHECK(echo.socket->closing());
    echo.socket->send_text("late", {});
    echo.socket->close(1000, "");
    CHECK(echo.socket->queued_bytes() == 0);
  }
}

TEST_CASE("the client closes, with a code, without one, without a word") {
  Echo echo;
  Served& served = echo.served;
  Client polite(served);
  CHECK(polite.ask(upgrade_to_websocket()).status == 101);
  polite.send(frame(8, "\x0F\xA0why"));  // 4000
  CHECK(code_of(next_frame(polite)) == "4000");
  CHECK(polite.is_closed());
  polite.close();
  served.until([&] { return echo.closed == 1; });
  CHECK(echo.code == 4000);
  CHECK(echo.reason == "why");

  Client terse(served);
  CHECK(terse.ask(upgrade_to_websocket()).status == 101);
  terse.send(frame(8, ""));
  CHECK(next_frame(terse).opcode == 8);
  terse.close();
  served.until([&] { return echo.closed == 2; });
  CHECK(echo.code == http::kCloseNoCode);

  for (const std::string& start : {std::string(), frame(1, "a").substr(0, 3), frame(1, "a", false)}) {
    Client gone(served);
    CHECK(gone.ask(upgrade_to_websocket()).status == 101);
    gone.send(start);
    served.turn_some();
    const int before = echo.closed;
    gone.close();
    served.until([&] { return echo.closed == before + 1; });
    CHECK(echo.code == http::kCloseAbnormal);
  }
  served.until([&] { return served.server->connections() == 0; });
}

TEST_CASE("the server closes after what is queued, and waits for the client's answer") {
  Echo echo;
  Served& served = echo.served;
  Client client(served);
  CHECK(client.ask(upgrade_to_websocket()).status == 101);
  echo.socket->send_text("one", {});
  echo.socket->send_binary("two", {});
  echo.socket->close(4001, std::string(200, 'r'));
  echo.socket->send_text("late", {});
  CHECK(next_frame(client).payload == "one");
  CHECK(next_frame(client).payload == "two");
  const Frame close = next_frame(client);
  CHECK(code_of(close) == "4001");
  CHECK(close.payload.size() == 125);
  served.turn_some();
  CHECK(echo.closed == 0);
  client.send(frame(1, "crossing") + frame(8, "\x03\xE8"));
  CHECK(client.is_closed());
  client.close();
  served.until([&] { return echo.closed == 1; });
  CHECK(echo.code == 1000);
}

TEST_CASE("a handler that closes when it is told of one message loses none of the others") {
  Echo echo;
  Client client(echo.served);
  CHECK(client.ask(upgrade_to_websocket()).status == 101);
  echo.socket->send_text("one", [&echo] { echo.socket->close(1000, ""); });
  echo.socket->send_text("two", {});
  CHECK(next_frame(client).payload == "one");
  CHECK(next_frame(client).payload == "two");
  CHECK(code_of(next_frame(client)) == "1000");
}

TEST_CASE("a client that does not answer a close is let go") {
  Echo echo;
  echo.options.close_timeout = std::chrono::milliseconds(30);
  Served& served = echo.served;
  Client client(served);
  CHECK(client.ask(upgrade_to_websocket()).status == 101);
  echo.socket->close(1000, "");
  served.until([&] { return echo.closed == 1 && served.server->connections() == 0; });
  CHECK(echo.code == http::kCloseAbnormal);
}

TEST_CASE("a silent client is pinged, and closed when it does not answer") {
  Echo echo;
  echo.options.ping_interval = std::chrono::milliseconds(250);
  Served& served = echo.served;
  Client answers(served);
  CHECK(answers.ask(upgrade_to_websocket()).status == 101);
  for (int i = 0; i < 2; ++i) {
    const Frame ping = next_frame(answers);
    REQUIRE(ping.opcode == 9);
    answers.send(frame(10, ping.payload));
  }
  CHECK(echo.closed == 0);
  // From here on it says nothing.
  served.until([&] { return echo.closed == 1; });
  CHECK(echo.code == http::kCloseAbnormal);
}

TEST_CASE("a handler that pauses is sent nothing, its client waits, and is not taken for silent") {
  Echo echo;
  echo.options.ping_interval = std::chrono::milliseconds(150);
  Served& served = echo.served;
  Client client(served);
  CHECK(client.ask(upgrade_to_websocket()).status == 101);
  echo.socket->pause();
  std::string messages;
  for (int i = 0; i < 100; ++i) messages += frame(2, std::string(10000, static_cast<char>('a' + i % 26)));
  std::size_t sent = 0;
  const auto start = std::chrono::steady_clock::now();
  served.until([&] {
    sent += client.send_some(std::string_view(messages).substr(sent));
    return std::chrono::steady_clock::now() - start > std::chrono::milliseconds(400);
  });
  CHECK(sent < messages.size());
  CHECK(echo.closed == 0);
  echo.socket->resume();
  int received = 0;
  while (received < 100) {
    sent += client.send_some(std::string_view(messages).substr(sent));
    const Frame back = next_frame(client);
    if (back.opcode == 9) {
      // Not in the middle of a message.
      if (sent == messages.size()) client.send(frame(10, back.payload));
      continue;
    }
    REQUIRE((back.payload == std::string(10000, static_cast<char>('a' + received % 26))));
    ++received;
  }
}

TEST_CASE("what a client does not read is counted; it is closed when it takes nothing") {
  http::ServerLimits limits;
  limits.stall_timeout = std::chrono::milliseconds(50);
  Echo echo(limits);
  echo.options.ping_interval = std::chrono::seconds(20);
  Served& served = echo.served;
  Client client(served);
  CHECK(client.ask(upgrade_to_websocket()).status == 101);
  int sent = 0;
  for (int i = 0; i < 100; ++i) echo.socket->send_binary(std::string(100'000, 'x'), [&] { ++sent; });
  served.turn_some();
  CHECK(sent < 100);
  CHECK(echo.socket->queued_bytes() > http::kMostQueuedBytes);
  served.until([&] { return echo.closed == 1; });
  CHECK(echo.socket->queued_bytes() == 0);
  CHECK(sent < 100);
}

TEST_CASE("messages arrive in order, and the handler is told when each is sent") {
  Echo echo;
  Served& served = echo.served;
  Client client(served);
  CHECK(client.ask(upgrade_to_websocket()).status == 101);
  std::vector<int> order;
  for (int i = 0; i < 50; ++i) echo.socket->send_text(std::to_string(i), [&order, i] { order.push_back(i); });
  for (int i = 0; i < 50; ++i) CHECK(next_frame(client).payload == std::to_string(i));
  served.until([&] { return order.size() == 50; });
  CHECK(std::is_sorted(order.begin(), order.end()));
  CHECK(echo.socket->queued_bytes() == 0);
}

TEST_CASE("a client that goes before the upgrade is done leaves nothing") {
  ExchangePtr waiting;
  int called = 0;
  Served served([&](const Request&, const ExchangePtr& exchange) { waiting = exchange; });
  Client client(served);
  client.send(upgrade_to_websocket());
  served.until([&] { return waiting != nullptr; });
  client.close();
  waiting->accept_websocket({}, [&](const Result<std::shared_ptr<WebSocket>>&) { ++called; });
  served.until([&] { return served.server->connections() == 0; });
  CHECK(called == 1);
  waiting.reset();
}

}  // namespace
}  // namespace sbx::test
