// Who may come to sbxd, and how many, in the configuration.
#include <doctest/doctest.h>
#include <unistd.h>

#include "run/load_config.h"

namespace sbx {
namespace {

Settings read(const std::string& text) {
  Settings settings;
  const auto done = parse_config("config.yaml", text, settings);
  INFO((done ? "" : done.error().text));
  REQUIRE(done);
  return settings;
}

std::string refusal(const std::string& text) {
  Settings settings;
  const auto done = parse_config("config.yaml", text, settings);
  return done ? "" : done.error().text;
}

}  // namespace

TEST_CASE("addresses to listen at: loopback without TLS, any with it") {
  const Settings settings = read(
      "listen:\n  - {address: 127.0.0.1, port: 8080}\n  - {address: \"::1\", port: 8080}\n"
      "  - {address: 0.0.0.0, port: 8443, tls: {certificate: /c, key: /k}}\n");
  REQUIRE(settings.listeners.size() == 3);
  CHECK(settings.listeners[0] == TcpListener{"127.0.0.1", 8080, {}});
  CHECK(settings.listeners[1].text() == "[::1]:8080");
  CHECK(settings.listeners[2].tls == TlsPaths{"/c", "/k"});
  CHECK(settings.listeners[2].text() == "0.0.0.0:8443");
}

TEST_CASE("admission and origins, and what they are when nothing is said") {
  const Settings none = read("max_sandboxes: 1\n");
  CHECK(none.listeners.empty());
  CHECK(none.tokens == "/etc/sbx/tokens.yaml");
  CHECK_FALSE(none.admission.memory_bytes);
  CHECK(none.admission.queue == 100);
  const Settings settings = read(
      "tokens: /t\norigins: [\"https://example.org\", \"http://localhost:3000\"]\n"
      "admission: {memory: 4G, queue: none, per_client_rate: 10, burst: 20}\n");
  CHECK(settings.tokens == "/t");
  CHECK(settings.origins == std::vector<std::string>{"https://example.org", "http://localhost:3000"});
  CHECK(settings.admission.memory_bytes == 4ULL << 30U);
  CHECK(settings.admission.queue == 0);
  CHECK(settings.admission.per_client_rate == 10);
  CHECK(settings.admission.burst == 20);
  const auto half = read("admission: {memory: 50%}\n").admission.memory_bytes;
  REQUIRE(half);
  const auto host = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * 4096;
  CHECK(*half <= host / 2);
  CHECK(*half >= host / 100 * 49);
}

TEST_CASE("which sandboxes are made ahead") {
  CHECK(read("max_sandboxes: 1\n").pool.kinds.empty());
  const PoolConfig pool =
      read("pool: {memory: 3G, sandboxes: [{image: a}, {image: a, policy: p, count: 7}]}\n").pool;
  CHECK(pool.memory_bytes == 3ULL << 30U);
  CHECK_FALSE(read("pool: {sandboxes: []}\n").pool.memory_bytes);
  CHECK(read("pool: {memory: none}\n").pool.memory_bytes == 1ULL << 62U);
  REQUIRE(pool.kinds.size() == 2);
  CHECK(pool.kinds[0].policy == "default");
  CHECK(pool.kinds[0].count == 1);
  CHECK(pool.kinds[1].policy == "p");
  CHECK(pool.kinds[1].count == 7);
}

TEST_CASE("what is wrong with who may come is said, by place") {
  struct Case {
    const char* text;
    const char* says;
  };
  for (const Case& one :
       {Case{"listen: x\n", "expected a list"},
        Case{"listen:\n  - {port: 1}\n", "address"},
        Case{"listen:\n  - {address: 127.0.0.1}\n", "port"},
        Case{"listen:\n  - {address: localhost, port: 1}\n", "no IPv4 or IPv6"},
        Case{"listen:\n  - {address: 127.0.0.1, port: 0}\n", "port"},
        Case{"listen:\n  - {address: 127.0.0.1, port: 65536}\n", "too large"},
        Case{"listen:\n  - {address: 0.0.0.0, port: 80}\n", "no address of loopback"},
        Case{"listen:\n  - {address: \"::\", port: 80}\n", "no address of loopback"},
        Case{"listen:\n  - {address: \"::ffff:127.0.0.1\", port: 80}\n", "no address of loopback"},
        Case{"listen:\n  - {address: 10.0.0.1, port: 80}\n", "tls"},
        Case{"listen:\n  - {address: 127.0.0.1, port: 80, tls: {certificate: c, key: /k}}\n", "absolute"},
        Case{"listen:\n  - {address: 127.0.0.1, port: 80, tls: {certificate: /c}}\n", "key"},
        Case{"listen:\n  - {address: 127.0.0.1, port: 80}\n  - {address: 127.0.0.1, port: 80}\n", "twice"},
        Case{"origins: [example.org]\n", "scheme"},
        Case{"origins: [\"null\"]\n", "scheme"},
        Case{"origins: [\"https://a/b\"]\n", "scheme"},
        Case{"tokens: t\n", "absolute"},
        Case{"admission: {memory: 0%}\n", "memory"},
        Case{"admission: {memory: 1e9%}\n", "memory"},
        Case{"admission: {memory: much}\n", "memory"},
        Case{"admission: {queue: 100000}\n", "too large"},
        Case{"admission: {burst: none}\n", "burst"},
        Case{"admission: {rate: 1}\n", "rate"},
        Case{"pool: {sandboxes: [{image: a}, {image: a, policy: default}]}\n", "twice"},
        Case{"pool: {sandboxes: [{policy: a}]}\n", "image"},
        Case{"pool: {sandboxes: [{image: ../a}]}\n", "image"},
        Case{"pool: {sandboxes: [{image: a, policy: ./b.yaml}]}\n", "policy"},
        Case{"pool: {sandboxes: [{image: a, count: 1001}]}\n", "too large"},
        Case{"pool: {sandboxes: {image: a}}\n", "sandboxes"},
        Case{"pool: {memory: much}\n", "memory"},
        Case{"pool: [a]\n", "pool"}}) {
    CAPTURE(std::string(one.text));
    const std::string said = refusal(one.text);
    CHECK(said.starts_with("config.yaml:"));
    CHECK(said.find(one.says) != std::string::npos);
  }
}

}  // namespace sbx
