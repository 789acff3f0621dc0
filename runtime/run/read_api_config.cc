#include "run/read_api_config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/names.h"
#include "base/units.h"

namespace sbx {
namespace {

constexpr std::array<std::string_view, 3> kListenKeys{"address", "port", "tls"};
constexpr std::array<std::string_view, 2> kTlsKeys{"certificate", "key"};
constexpr std::array<std::string_view, 4> kAdmissionKeys{"memory", "queue", "per_client_rate", "burst"};
constexpr std::array<std::string_view, 2> kPoolKeys{"memory", "sandboxes"};
constexpr std::array<std::string_view, 3> kPoolKindKeys{"image", "policy", "count"};
constexpr std::uint64_t kMostWarm = 1'000;
constexpr std::size_t kMostListeners = 16;
constexpr std::size_t kMostOrigins = 100;

bool is_four(const std::string& address) {
  in_addr four{};
  return inet_pton(AF_INET, address.c_str(), &four) == 1;
}

bool is_six(const std::string& address) {
  in6_addr six{};
  return inet_pton(AF_INET6, address.c_str(), &six) == 1;
}

bool is_loopback(const std::string& address) {
  in_addr four{};
  if (inet_pton(AF_INET, address.c_str(), &four) == 1) return ntohl(four.s_addr) >> 24U == IN_LOOPBACKNET;
  in6_addr six{};
  return inet_pton(AF_INET6, address.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

Result<std::uint64_t> number(const yaml::Map& map, std::string_view key, std::string_view text,
                             std::uint64_t most) {
  const Result<std::uint64_t> value = parse_count(key, text);
  // It begins with the key, which the map says with its place.
  if (!value) return map.error(key, std::string_view(value.error().text).substr(key.size() + 2));
  if (*value > most)
    return map.error(key, "'" + std::string(text) + "' is too large; give at most " + std::to_string(most));
  return *value;
}

Result<std::string> absolute(const yaml::Map& map, std::string_view key) {
  std::string path = TRY(map.need_text(key));
  if (!path.starts_with('/')) return map.error(key, "'" + path + "' is not an absolute path");
  return path;
}

Result<TcpListener> read_listener(std::string_view path, const yaml::Node& node) {
  const yaml::Map map = TRY(yaml::Map::open(path, node, "listen", kListenKeys));
  TcpListener listener;
  listener.address = TRY(map.need_text("address"));
  if (!is_four(listener.address) && !is_six(listener.address))
    return map.error("address",
                     "'" + listener.address + "' is no IPv4 or IPv6 address, as 127.0.0.1 or ::1 is");
  const std::string port = TRY(map.need_text("port"));
  listener.port = static_cast<std::uint16_t>(TRY(number(map, "port", port, 65'535)));
  if (const yaml::Node* tls = map.find("tls")) {
    const yaml::Map paths = TRY(yaml::Map::open(path, *tls, "tls", kTlsKeys));
    listener.tls.emplace();
    listener.tls->certificate = TRY(absolute(paths, "certificate"));
    listener.tls->key = TRY(absolute(paths, "key"));
  } else if (!is_loopback(listener.address)) {
    return map.error("address",
                     "'" + listener.address +
                         "' is no address of loopback, where tokens would go over a network that others "
                         "can read: give 'tls' with a certificate and a key");
  }
  return listener;
}

// "none" is 0.
Result<void> read_count(const yaml::Map& map, std::string_view key, std::uint64_t most,
                        std::uint32_t& target) {
  if (map.find(key) == nullptr) return {};
  const std::string text = TRY(map.need_text(key));
  target = text == "none" ? 0 : static_cast<std::uint32_t>(TRY(number(map, key, text, most)));
  return {};
}

Result<void> read_memory(const yaml::Map& map, std::optional<std::uint64_t>& bytes) {
  constexpr std::string_view kKey = "memory";
  if (map.find(kKey) == nullptr) return {};
  const std::string text = TRY(map.need_text(kKey));
  bytes.reset();
  if (text == "none") return {};
  if (text.ends_with('%')) {
    const auto percent = TRY(number(map, kKey, std::string_view(text).substr(0, text.size() - 1), 10'000));
    bytes = memory_of_host() / 100 * percent;
    return {};
  }
  const Result<std::uint64_t> size = parse_bytes(kKey, text);
  if (!size) return map.error(kKey, std::string_view(size.error().text).substr(kKey.size() + 2));
  bytes = *size;
  return {};
}

// RFC 6454, section 6.1: what a browser sends; "null" is that of pages without one.
bool is_origin(std::string_view text) {
  const std::size_t end = text.find("://");
  if (end == std::string_view::npos || end == 0 || text.size() <= end + 3) return false;
  return text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789+-.") == end &&
         text.substr(end + 3).find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-._:[]") ==
             std::string_view::npos;
}

Result<PoolConfig::Kind> read_kind(std::string_view path, const yaml::Node& node) {
  const yaml::Map map = TRY(yaml::Map::open(path, node, "pool.sandboxes", kPoolKindKeys));
  PoolConfig::Kind kind;
  kind.image = TRY(map.need_text("image"));
  if (const auto name = check_name("image", kind.image); !name) return map.error("image", name.error().text);
  if (map.find("policy") != nullptr) kind.policy = TRY(map.need_text("policy"));
  if (const auto name = check_name("policy", kind.policy); !name)
    return map.error("policy", name.error().text);
  TRY(read_count(map, "count", kMostWarm, kind.count));
  return kind;
}

}  // namespace

std::uint64_t memory_of_host() {
  return static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::uint64_t default_pool_memory() { return memory_of_host() / 4; }

std::string TcpListener::text() const {
  const bool six = address.find(':') != std::string::npos;
  return (six ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

Result<void> read_listeners(std::string_view path, const yaml::Node& node,
                            std::vector<TcpListener>& listeners) {
  if (node.kind != yaml::Kind::sequence)
    return yaml::error_at(path, node, "listen: expected a list of addresses, each with its port");
  for (const yaml::Node& item : node.items) {
    TcpListener listener = TRY(read_listener(path, item));
    if (std::ranges::find(listeners, listener.text(), &TcpListener::text) != listeners.end())
      return yaml::error_at(path, item, "listen: " + listener.text() + " is there twice");
    if (listeners.size() == kMostListeners)
      return yaml::error_at(path, item, "listen: more than " + std::to_string(kMostListeners));
    listeners.push_back(std::move(listener));
  }
  return {};
}

Result<void> read_origins(std::string_view path, const yaml::Node& node, std::vector<std::string>& origins) {
  if (node.kind != yaml::Kind::sequence || node.items.size() > kMostOrigins)
    return yaml::error_at(path, node, "origins: expected a list of at most " + std::to_string(kMostOrigins));
  for (const yaml::Node& item : node.items) {
    std::string origin = TRY(yaml::scalar_text(path, item, "origins"));
    if (!is_origin(origin))
      return yaml::error_at(
          path, item,
          "origins: '" + origin + "' is none: give scheme, host and port, as https://example.org");
    origins.push_back(std::move(origin));
  }
  return {};
}

Result<void> read_admission(std::string_view path, const yaml::Node& node, AdmissionSettings& admission) {
  const yaml::Map map = TRY(yaml::Map::open(path, node, "admission", kAdmissionKeys));
  TRY(read_memory(map, admission.memory_bytes));
  TRY(read_count(map, "queue", 10'000, admission.queue));
  TRY(read_count(map, "per_client_rate", 1'000'000, admission.per_client_rate));
  TRY(read_count(map, "burst", 1'000'000, admission.burst));
  if (admission.burst == 0) return map.error("burst", "must be at least 1");
  return {};
}

Result<void> read_warm_pool(std::string_view path, const yaml::Node& node, PoolConfig& pool) {
  const yaml::Map map = TRY(yaml::Map::open(path, node, "pool", kPoolKeys));
  TRY(read_memory(map, pool.memory_bytes));
  constexpr std::uint64_t kAny = 1ULL << 62U;
  if (map.find("memory") != nullptr && !pool.memory_bytes) pool.memory_bytes = kAny;
  if (map.find("sandboxes") == nullptr) return {};
  for (const yaml::Node& item : *TRY(map.need_list("sandboxes"))) {
    PoolConfig::Kind kind = TRY(read_kind(path, item));
    const auto same = [&](const PoolConfig::Kind& other) {
      return other.image == kind.image && other.policy == kind.policy;
    };
    if (std::ranges::any_of(pool.kinds, same))
      return yaml::error_at(
          path, item,
          "pool.sandboxes: '" + kind.image + "' with the policy '" + kind.policy + "' is there twice");
    pool.kinds.push_back(std::move(kind));
  }
  return {};
}

}  // namespace sbx
