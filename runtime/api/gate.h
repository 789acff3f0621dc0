// Who is let in: users of this host by the kernel's word, others by a token (RFC 6750), web pages not at all,
// and nobody too often.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/client.h"
#include "api/rate_limit.h"
#include "http/message.h"

namespace sbx::api {

struct GateSettings {
  std::shared_ptr<const TokenList> tokens;  // null: none
  std::vector<std::string> origins;
  std::size_t per_client_rate = 0;
  std::size_t burst = 1;
};

class Gate {
 public:
  struct Refusal {
    int status = 0;
    std::string why;
    std::vector<http::Header> headers;
  };

  explicit Gate(GateSettings settings);
  void set(GateSettings settings);

  Result<Client, Refusal> look(const http::Request& request, RateLimit::Clock::time_point now,
                               std::int64_t utc_ms);
  // What to say to one who lacks `scope`.
  static Refusal lacks(const Client& client, Scope scope);

 private:
  Result<Client, Refusal> by_token(const http::Request& request, RateLimit::Clock::time_point now,
                                   std::int64_t utc_ms);
  tl::unexpected<Refusal> unknown(const http::Request& request, RateLimit::Clock::time_point now,
                                  std::string why, const char* challenge);

  GateSettings settings_;
  RateLimit requests_;
  RateLimit failures_;  // by address
};

// The token of an Authorization header; an error says what is wrong without what was sent.
Result<std::string> parse_bearer(std::string_view header);

}  // namespace sbx::api
