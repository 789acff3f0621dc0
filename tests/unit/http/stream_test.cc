#include <doctest/doctest.h>

#include "unit/http/served.h"

namespace sbx::test {
namespace {

using http::Exchange;
using http::Request;
using ExchangePtr = std::shared_ptr<Exchange>;

TEST_CASE("a stream arrives piece by piece, and the connection goes on") {
  ExchangePtr stream;
  int written = 0;
  Served served([&](const Request&, const ExchangePtr& exchange) {
    stream = exchange;
    exchange->start_stream(200, {{"Content-Type", "text/event-stream"}});
  });
  Client client(served);
  for (int round = 0; round < 2; ++round) {
    client.send(get("/"));
    served.until([&] { return client.receive() || client.received().find("\r\n\r\n") != std::string::npos; });
    CHECK(client.received().find("Transfer-Encoding: chunked") != std::string::npos);
    stream->write("data: 1\n\n", [&] { ++written; });
    served.until([&] { return client.receive() || client.received().ends_with("9\r\ndata: 1\n\n\r\n"); });
    stream->write("", {});
    stream->write(std::string(70000, 'a'), [&] { ++written; });
    stream->write("end", {});
    stream->finish();
    stream->write("late", {});
    const Answer answer = client.answer();
    CHECK(answer.status == 200);
    CHECK((answer.body == "data: 1\n\n" + std::string(70000, 'a') + "end"));
    CHECK(stream->over());
  }
  CHECK(written == 4);
}

TEST_CASE("HTTP/1.0 gets a stream without chunks, HEAD only its head") {
  Served served([](const Request&, const ExchangePtr& exchange) {
    exchange->start_stream(200, {});
    exchange->write("one ", {});
    exchange->write("two", {});
    exchange->finish();
  });
  Client old(served);
  const Answer answer = old.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(answer.header("Transfer-Encoding").empty());
  CHECK(answer.header("Connection") == "close");
  CHECK(answer.body == "one two");
  Client client(served);
  client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(client.answer(true).header("Transfer-Encoding") == "chunked");
  CHECK(client.ask(get("/")).body == "one two");
}

TEST_CASE("a stream whose length is known has that length, or is cut off") {
  std::size_t written = 0;
  Served served([&](const Request&, const ExchangePtr& exchange) {
    exchange->start_stream(200, {}, 7);
    exchange->write("one ", {});
    exchange->write(std::string("two and more").substr(0, written), {});
    exchange->finish();
  });
  Client client(served);
  for (const std::size_t more : {3U, 12U}) {
    written = more;
    const Answer answer = client.ask(get("/"));
    CHECK(answer.header("Content-Length") == "7");
    CHECK(answer.header("Transfer-Encoding").empty());
    CHECK(answer.body == "one two");
  }
  client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(client.answer(true).header("Content-Length") == "7");
  written = 2;
  client.send(get("/"));
  served.until([&] { return client.receive(); });
  CHECK(!client.received().ends_with("one two"));
}

TEST_CASE("a stream that is cut off, or let go, is seen not to be whole") {
  for (const bool abort : {true, false}) {
    ExchangePtr stream;
    Served served([&](const Request&, const ExchangePtr& exchange) {
      stream = exchange;
      exchange->start_stream(200, {});
      exchange->write("part", {});
    });
    Client client(served);
    client.send(get("/"));
    served.until([&] { return client.receive() || client.received().find("part") != std::string::npos; });
    if (abort) stream->abort();
    stream.reset();
    CHECK(client.answer().body == "part(cut off)");
  }
}

TEST_CASE("what a client does not read is counted, and when it takes none the connection ends") {
  http::ServerLimits limits;
  limits.stall_timeout = std::chrono::milliseconds(50);
  ExchangePtr stream;
  bool gone = false;
  int written = 0;
  Served served(
      [&](const Request&, const ExchangePtr& exchange) {
        stream = exchange;
        exchange->on_client_gone([&] { gone = true; });
        exchange->start_stream(200, {});
      },
      limits);
  Client client(served);
  client.send(get("/"));
  served.until([&] { return stream != nullptr; });
  for (int i = 0; i < 100; ++i) stream->write(std::string(100'000, 'x'), [&] { ++written; });
  served.turn_some();
  CHECK(written < 100);
  CHECK(stream->queued_bytes() > http::kMostQueuedBytes);
  served.until([&] { return gone; });
  CHECK(stream->over());
  CHECK(stream->queued_bytes() == 0);
  CHECK(written < 100);
  served.until([&] { return served.server->connections() == 0; });
  stream.reset();
}

TEST_CASE("a download waits for its client, and arrives whole") {
  constexpr std::size_t kPieces = 400;
  struct Download {
    ExchangePtr exchange;
    std::size_t pieces = 0;
    std::size_t most_queued = 0;
    void write_next() {
      if (pieces == kPieces) return exchange->finish();
      ++pieces;
      exchange->write(std::string(32768, 'y'), [this] { write_next(); });
      most_queued = std::max(most_queued, exchange->queued_bytes());
    }
  } download;
  Served served([&](const Request&, const ExchangePtr& exchange) {
    download.exchange = exchange;
    exchange->start_stream(200, {});
    download.write_next();
  });
  Client client(served);
  client.send(get("/"));
  served.turn_some();
  CHECK(download.pieces < kPieces);
  CHECK((client.answer().body == std::string(kPieces * 32768, 'y')));
  CHECK(download.most_queued < 70000);
  download.exchange.reset();
}

TEST_CASE("a client that goes in the middle of a stream is noticed, whether something is written or not") {
  for (const bool writes : {true, false}) {
    ExchangePtr stream;
    int gone = 0;
    Served served([&](const Request&, const ExchangePtr& exchange) {
      stream = exchange;
      exchange->on_client_gone([&] { ++gone; });
      exchange->start_stream(200, {});
    });
    Client client(served);
    client.send(get("/"));
    served.until([&] { return client.receive() || !client.received().empty(); });
    client.close();
    if (writes) stream->write("x", {});
    served.until([&] { return gone == 1; });
    stream.reset();
    served.until([&] { return served.server->connections() == 0; });
    CHECK(gone == 1);
  }
}

TEST_CASE("a stream with a status or a header that cannot be sent is none") {
  Served served([](const Request& request, const ExchangePtr& exchange) {
    if (request.path == "/204") exchange->start_stream(204, {});
    if (request.path == "/header") exchange->start_stream(200, {{"Content-Length", "4"}});
    exchange->write("body", {});
    exchange->finish();
  });
  Client client(served);
  CHECK(client.ask(get("/204")).status == 500);
  CHECK(client.ask(get("/header")).status == 500);
}

}  // namespace
}  // namespace sbx::test
