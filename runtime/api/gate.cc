#include "api/gate.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

namespace sbx::api {
namespace {

// Whoever guesses gets nowhere (256 bits); this is for what it costs and hides.
constexpr double kFailuresPerSecond = 0.2;
constexpr double kFailuresAtOnce = 10;
constexpr std::size_t kMostTokenLength = 200;

// Whoever has one address of IPv6 has as many as there are in its 64 bits.
std::string network_of(const std::string& address) {
  in6_addr six{};
  if (inet_pton(AF_INET6, address.c_str(), &six) != 1) return address;
  return {reinterpret_cast<const char*>(&six), 8};
}

Gate::Refusal too_often(std::string why, std::chrono::seconds wait) {
  return {429, std::move(why), {{"Retry-After", std::to_string(wait.count())}}};
}

}  // namespace

// RFC 6750, section 2.1, and RFC 9110, section 11.4: the scheme in whatever case, spaces, a token68.
Result<std::string> parse_bearer(std::string_view header) {
  constexpr std::string_view kScheme = "bearer";
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
  const std::size_t end = std::min(header.find(' '), header.size());
  if (!http::equal_ignoring_case(header.substr(0, end), kScheme))
    return fail("Authorization: the only kind that is understood is 'Bearer', with a token");
  std::string_view token = header.substr(end);
  token.remove_prefix(std::min(token.find_first_not_of(' '), token.size()));
  const std::size_t padding = std::min(token.find_first_not_of(kAllowed), token.size());
  if (token.empty() || padding == 0 || token.size() > kMostTokenLength ||
      token.find_first_not_of('=', padding) != std::string_view::npos)
    return fail("Authorization: what follows 'Bearer' is no token");
  return std::string(token);
}

Gate::Gate(GateSettings settings)
    : settings_(std::move(settings)),
      requests_(static_cast<double>(settings_.per_client_rate), static_cast<double>(settings_.burst)),
      failures_(kFailuresPerSecond, kFailuresAtOnce) {}

void Gate::set(GateSettings settings) {
  const bool same =
      settings.per_client_rate == settings_.per_client_rate && settings.burst == settings_.burst;
  settings_ = std::move(settings);
  if (same) return;
  requests_ = RateLimit(static_cast<double>(settings_.per_client_rate), static_cast<double>(settings_.burst));
}

Result<Client, Gate::Refusal> Gate::look(const http::Request& request, RateLimit::Clock::time_point now,
                                         std::int64_t utc_ms) {
  // A browser says whose page asks (RFC 6454), also where the page may not read the answer.
  for (const http::Header& header : request.headers) {
    if (!http::equal_ignoring_case(header.name, "Origin")) continue;
    if (std::ranges::find(settings_.origins, header.value) == settings_.origins.end())
      return tl::make_unexpected(Refusal{
          403, "the request comes from a web page, whose Origin is not among the configured 'origins'", {}});
  }
  Client client = Client::of_user(request.peer.uid);
  if (!request.peer.local) {
    auto known = by_token(request, now, utc_ms);
    if (!known) return known;
    client = std::move(*known);
  }
  if (client.is_root()) return client;
  if (const auto wait = requests_.take(client.owner(), now))
    return tl::make_unexpected(too_often(client.name() + " sends more requests than " +
                                             std::to_string(settings_.per_client_rate) + " per second",
                                         *wait));
  return client;
}

Result<Client, Gate::Refusal> Gate::by_token(const http::Request& request, RateLimit::Clock::time_point now,
                                             std::int64_t utc_ms) {
  const auto is_it = [](const http::Header& header) {
    return http::equal_ignoring_case(header.name, "Authorization");
  };
  const auto header = std::ranges::find_if(request.headers, is_it);
  if (header == request.headers.end())
    return unknown(request, now,
                   "over TCP a token is needed: 'Authorization: Bearer ...' (sbxctl token create)",
                   "Bearer realm=\"sbx\"");
  constexpr const char* kInvalid = "Bearer realm=\"sbx\", error=\"invalid_token\"";
  if (std::ranges::count_if(request.headers, is_it) > 1)
    return unknown(request, now, "Authorization: given twice", kInvalid);
  const Result<std::string> secret = parse_bearer(header->value);
  if (!secret) return unknown(request, now, secret.error().text, kInvalid);
  const auto index = settings_.tokens ? settings_.tokens->find(*secret) : std::nullopt;
  if (!index) return unknown(request, now, "the token is not known", kInvalid);
  const Token& token = settings_.tokens->at(*index);
  if (!token.is_good_at(utc_ms))
    return unknown(request, now, "the token '" + token.name + "' has expired", kInvalid);
  return Client::of_token(settings_.tokens, *index);
}

// Who has a good token comes in all the same, from the same address, too.
tl::unexpected<Gate::Refusal> Gate::unknown(const http::Request& request, RateLimit::Clock::time_point now,
                                            std::string why, const char* challenge) {
  if (const auto wait = failures_.take(network_of(request.peer.address), now))
    return tl::make_unexpected(
        too_often("too many requests without a good token came from this address", *wait));
  return tl::make_unexpected(Refusal{401, std::move(why), {{"WWW-Authenticate", challenge}}});
}

Gate::Refusal Gate::lacks(const Client& client, Scope scope) {
  const std::string name(kScopeNames[static_cast<std::size_t>(scope)]);
  return {
      403,
      "this needs the scope '" + name + "', which " + client.name() + " does not have",
      {{"WWW-Authenticate", "Bearer realm=\"sbx\", error=\"insufficient_scope\", scope=\"" + name + "\""}}};
}

}  // namespace sbx::api
