// The head of a response as text (RFC 9112). Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace sbx::http {

struct HeadFacts {
  std::string_view request_id;
  std::chrono::sys_seconds now;
  bool http_1_1 = true;
  bool keep_alive = true;
  // Nothing, or one of both.
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  std::string_view upgrade;  // of a 101: the token
};

std::string response_head(int status, const std::vector<Header>& headers, const HeadFacts& facts);

// Whether a handler may send it: a token for a name that the server does not add itself, and a value without
// control characters, which could begin another header (CWE-113).
bool may_be_sent(const Header& header);
bool all_may_be_sent(const std::vector<Header>& headers);

// Whether a response of that status has no body whatever its headers say (RFC 9110 section 6.4.1).
bool has_no_body(int status);

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7). Computed: gmtime_r(3) would read /etc/localtime.
std::string http_date(std::chrono::sys_seconds time);

// 1 to 128 characters of A-Z a-z 0-9 . _ -
bool is_request_id(std::string_view text);

}  // namespace sbx::http
