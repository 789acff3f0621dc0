#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "os/stream_socket.h"
#include "unit/http/served.h"

namespace sbx::test {
namespace {

using http::Exchange;
using http::Request;
using ExchangePtr = std::shared_ptr<Exchange>;

struct Taken {
  UniqueFd socket;
  int failed = 0;
  http::Handler handler() {
    return [this](const Request& request, const ExchangePtr& exchange) {
      if (request.path == "/plain") return answer_text(exchange, "plain");
      exchange->take_over("sbx-streams", {{"X-Run", "r-1"}}, [this](Result<UniqueFd> fd) {
        if (!fd) {
          ++failed;
          return;
        }
        socket = std::move(*fd);
      });
    };
  }
};

const std::vector<std::string> kUpgrade = {"Connection: Upgrade", "Upgrade: other, SBX-Streams"};

TEST_CASE("a connection is given away after 101, also one that was used before") {
  Taken taken;
  Served served(taken.handler());
  Client client(served);
  CHECK(client.ask(get("/plain")).body == "plain");
  const Answer answer = client.ask(get("/", kUpgrade));
  CHECK(answer.status == 101);
  CHECK(answer.header("Connection") == "Upgrade");
  CHECK(answer.header("Upgrade") == "sbx-streams");
  CHECK(answer.header("X-Run") == "r-1");
  CHECK(answer.header("Content-Length").empty());
  served.until([&] { return taken.socket.valid(); });
  CHECK(served.server->connections() == 0);
  client.send("raw");
  served.turn_some();
  std::array<char, 10> bytes{};
  CHECK(read(taken.socket.get(), bytes.data(), bytes.size()) == 3);
  CHECK(write(taken.socket.get(), "back", 4) == 4);
  CHECK(client.take(4) == "back");
  const auto peer = os::peer_credentials(taken.socket.get());
  REQUIRE(peer);
  CHECK(peer->pid == getpid());
  taken.socket.reset();
  CHECK(client.is_closed());
}

TEST_CASE("without the headers of the upgrade it is refused, and the connection goes on") {
  Taken taken;
  Served served(taken.handler());
  Client client(served);
  for (const std::vector<std::string>& headers :
       std::vector<std::vector<std::string>>{{},
                                             {"Upgrade: sbx-streams"},
                                             {"Connection: upgrade"},
                                             {"Connection: upgrade", "Upgrade: websocket"}}) {
    const Answer answer = client.ask(get("/", headers));
    CHECK(answer.status == 426);
    CHECK(answer.header("Upgrade") == "sbx-streams");
  }
  CHECK(taken.failed == 4);
  CHECK(client.ask("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: sbx-streams\r\n\r\n").status == 426);
}

TEST_CASE("bytes that came before the answer are an error") {
  Taken taken;
  Served served(taken.handler());
  Client client(served);
  CHECK(client.ask(get("/", kUpgrade) + "early").status == 400);
  CHECK(client.is_closed());
  CHECK(taken.failed == 1);
  CHECK_FALSE(taken.socket.valid());
}

TEST_CASE("a client that goes before gets nothing") {
  ExchangePtr waiting;
  int failed = 0;
  Served served([&](const Request&, const ExchangePtr& exchange) { waiting = exchange; });
  Client client(served);
  client.send(get("/", kUpgrade));
  served.until([&] { return waiting != nullptr; });
  client.close();
  served.turn_some();
  waiting->take_over("sbx-streams", {}, [&](const Result<UniqueFd>& fd) { failed += fd ? 0 : 1; });
  served.until([&] { return served.server->connections() == 0; });
  CHECK(failed == 1);
  waiting.reset();
}

TEST_CASE("no header of an upgrade begins another one") {
  int failed = 0;
  Served served([&](const Request& request, const ExchangePtr& exchange) {
    const std::vector<http::Header> headers = {{"X-A", "1\r\nX-B: 2"}};
    if (request.path == "/take") {
      return exchange->take_over("sbx-streams", headers, [&](const Result<UniqueFd>& fd) { failed += !fd; });
    }
    http::WebSocketOptions options;
    if (request.path == "/headers") options.headers = headers;
    if (request.path == "/protocol") options.protocol = "a\r\nX-B: 2";
    exchange->accept_websocket(options, [&](const auto& made) { failed += !made; });
  });
  Client client(served);
  CHECK(client.ask(get("/take", kUpgrade)).status == 500);
  CHECK(client.ask(upgrade_to_websocket("/headers")).status == 500);
  CHECK(client.ask(upgrade_to_websocket("/protocol")).status == 500);
  CHECK(failed == 3);
}

TEST_CASE("only a Unix socket is given away") {
  Taken taken;
  Served served(taken.handler(), {}, Place::kTcp);
  Client client(served);
  CHECK(client.ask(get("/", kUpgrade)).status == 400);
  CHECK(taken.failed == 1);
}

}  // namespace
}  // namespace sbx::test
