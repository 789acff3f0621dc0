#include "http/tls.h"

#include <doctest/doctest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <array>

#include "unit/http/certificate.h"
#include "unit/http/served.h"

namespace sbx::test {
namespace {

using http::Exchange;
using http::Request;
using ExchangePtr = std::shared_ptr<Exchange>;

class TlsClient {
 public:
  explicit TlsClient(Served& served, int newest = 0)
      : served_(served),
        socket_(served.connect()),
        context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free),
        session_(nullptr, SSL_free) {
    if (newest != 0) {
      SSL_CTX_set_security_level(context_.get(), 0);
      (void)SSL_CTX_set_max_proto_version(context_.get(), newest);
    }
    session_.reset(SSL_new(context_.get()));
    (void)SSL_set_fd(session_.get(), socket_.get());
  }
  bool connect() {
    int done = 0;
    served_.until([&] {
      done = SSL_connect(session_.get());
      return done == 1 || !waits(done);
    });
    return done == 1;
  }
  void send(std::string_view bytes) {
    served_.until(
        [&] { return SSL_write(session_.get(), bytes.data(), static_cast<int>(bytes.size())) > 0; });
  }
  // Until there are that many bytes, or the end.
  std::string receive(std::size_t most) {
    std::string received;
    std::array<char, 16384> room{};
    served_.until([&] {
      const int size = SSL_read(session_.get(), room.data(), static_cast<int>(room.size()));
      if (size > 0) received.append(room.data(), static_cast<std::size_t>(size));
      return received.size() >= most || (size <= 0 && !waits(size));
    });
    return received;
  }
  void close() { socket_.reset(); }
  // The server's, as PEM.
  std::string certificate() const {
    const std::unique_ptr<X509, decltype(&X509_free)> shown(SSL_get1_peer_certificate(session_.get()),
                                                            X509_free);
    const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new(BIO_s_mem()), BIO_free_all);
    REQUIRE(PEM_write_bio_X509(bio.get(), shown.get()) == 1);
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    return {data, static_cast<std::size_t>(size)};
  }

 private:
  bool waits(int result) {
    const int error = SSL_get_error(session_.get(), result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  }
  Served& served_;
  UniqueFd socket_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> session_;
};

TEST_CASE("requests over TLS, uploads, and the end") {
  bool encrypted = false;
  Served served(
      [&](const Request& request, const ExchangePtr& exchange) {
        encrypted = request.peer.encrypted;
        exchange->read_body(1U << 20U, [exchange](const Result<std::string>& body) {
          if (body) answer_text(exchange, std::to_string(body->size()));
        });
      },
      {}, Place::kTls);
  for (const int newest : {0, TLS1_2_VERSION}) {
    TlsClient client(served, newest);
    REQUIRE(client.connect());
    client.send(get("/"));
    CHECK(client.receive(1).starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(encrypted);
    client.send(post("/", std::string(300'000, 'a')));
    CHECK(client.receive(1).ends_with("300000"));
    client.send(get("/", {"Connection: close"}));
    const std::string all = client.receive(1U << 20U);
    CHECK(all.find("Connection: close") != std::string::npos);
    CHECK(all.ends_with("0"));
    client.close();
    served.until([&] { return served.server->connections() == 0; });
  }
}

TEST_CASE("a client that goes is noticed over TLS, and streams and WebSockets work") {
  int gone = 0;
  int closed = 0;
  Served served(
      [&](const Request& request, const ExchangePtr& exchange) {
        if (request.path == "/socket") {
          return exchange->accept_websocket({}, [&](Result<std::shared_ptr<http::WebSocket>> made) {
            REQUIRE(made);
            const auto socket = *made;
            socket->on_message(
                [socket](std::string_view message, bool) { socket->send_text(std::string(message), {}); });
            socket->on_closed([&closed](std::uint16_t, std::string_view) { ++closed; });
          });
        }
        exchange->on_client_gone([&gone, exchange] {
          ++gone;
          exchange->abort();
        });
        if (request.path == "/stream") {
          exchange->start_stream(200, {});
          exchange->write(std::string(100'000, 'a'), {});
        }
      },
      {}, Place::kTls);
  for (const std::string path : {"/wait", "/stream"}) {
    TlsClient client(served);
    REQUIRE(client.connect());
    client.send(get(path));
    if (path == "/stream") CHECK(client.receive(100'000).size() >= 100'000);
    served.turn_some();
    client.close();
    served.until([&] { return served.server->connections() == 0; });
  }
  CHECK(gone == 2);
  TlsClient client(served);
  REQUIRE(client.connect());
  client.send(upgrade_to_websocket("/socket"));
  CHECK(client.receive(1).starts_with("HTTP/1.1 101 "));
  client.send(frame(1, "hello"));
  CHECK(client.receive(7) == frame(1, "hello", true, false));
  client.send(frame(8, "\x03\xE8"));
  CHECK(client.receive(1U << 20U) == frame(8, "\x03\xE8", true, false));
  client.close();
  served.until([&] { return served.server->connections() == 0; });
  CHECK(closed == 1);
}

TEST_CASE("who speaks no TLS, or too old, or stops in the middle of the handshake is let go") {
  http::ServerLimits limits;
  limits.header_timeout = std::chrono::milliseconds(50);
  Served served([](const Request&, const ExchangePtr&) { FAIL("called"); }, limits, Place::kTls);
  Client plain(served);
  plain.send(get("/"));
  served.until([&] { return plain.receive(); });
  CHECK(plain.received().find("HTTP") == std::string::npos);
  TlsClient old(served, TLS1_1_VERSION);
  CHECK_FALSE(old.connect());
  Client slow(served);
  slow.send("\x16\x03\x01");
  CHECK(slow.is_closed());
  Client gone(served);
  gone.send("\x16");
  gone.close();
  served.until([&] { return served.server->connections() == 0; });
}

TEST_CASE("of a certificate and a key that cannot be used it is said which") {
  const http::TlsIdentity good = make_certificate();
  const http::TlsIdentity foreign = make_certificate();
  CHECK(http::TlsContext::make(good));
  CHECK(http::TlsContext::make({good.certificate_chain + foreign.certificate_chain, good.key}));
  const std::string broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  const std::vector<std::pair<http::TlsIdentity, std::string>> bad = {
      {{"", good.key}, "the certificate chain"},
      {{good.certificate_chain, ""}, "the key"},
      {{good.certificate_chain, foreign.key}, "the key"},
      {{foreign.certificate_chain + good.certificate_chain, good.key}, "the key"},
      {{good.certificate_chain + broken, good.key}, "the certificate chain"},
      {{good.key, good.certificate_chain}, "the certificate chain"}};
  for (const auto& [identity, name] : bad) {
    const auto context = http::TlsContext::make(identity);
    REQUIRE_FALSE(context);
    CAPTURE(context.error().text);
    CHECK(context.error().text.starts_with(name));
  }
}

TEST_CASE("another certificate is for who comes from then on") {
  Served served([](const Request&, const ExchangePtr& exchange) { answer_text(exchange, "fine"); }, {},
                Place::kTls);
  TlsClient before(served);
  REQUIRE(before.connect());
  const http::TlsIdentity next = make_certificate();
  CHECK_FALSE(served.server->set_tls(0, {next.certificate_chain, "x"}));
  CHECK_FALSE(served.server->set_tls(1, next));
  const std::string first = before.certificate();
  TlsClient same(served);
  REQUIRE(same.connect());
  CHECK(same.certificate() == first);
  REQUIRE(served.server->set_tls(0, next));
  TlsClient after(served);
  REQUIRE(after.connect());
  CHECK(after.certificate() == next.certificate_chain);
  CHECK(first != next.certificate_chain);
}

}  // namespace
}  // namespace sbx::test
