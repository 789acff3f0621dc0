#include "http/response_head.h"

#include <algorithm>
#include <array>

namespace sbx::http {
namespace {

constexpr bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// RFC 9110 section 5.6.2.
constexpr bool is_token_character(char c) {
  return is_alphanumeric(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

constexpr std::array<std::string_view, 6> kOurs = {"Connection", "Content-Length",    "Date",
                                                   "Server",     "Transfer-Encoding", "X-Request-Id"};

std::string two_digits(unsigned number) {
  return {static_cast<char>('0' + number / 10 % 10), static_cast<char>('0' + number % 10)};
}

void put(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

bool may_be_sent(const Header& header) {
  if (header.name.empty() || !std::ranges::all_of(header.name, is_token_character)) return false;
  if (std::ranges::any_of(kOurs,
                          [&](std::string_view ours) { return equal_ignoring_case(ours, header.name); })) {
    return false;
  }
  return std::ranges::none_of(header.value, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7f;
  });
}

bool all_may_be_sent(const std::vector<Header>& headers) {
  return std::ranges::all_of(headers, [](const Header& header) { return may_be_sent(header); });
}

bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

bool is_request_id(std::string_view text) {
  return !text.empty() && text.size() <= 128 && std::ranges::all_of(text, [](char c) {
    return is_alphanumeric(c) || c == '.' || c == '_' || c == '-';
  });
}

std::string http_date(std::chrono::sys_seconds time) {
  static constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  const auto part = [](auto count) { return two_digits(static_cast<unsigned>(count)); };
  std::string text(kDays[std::chrono::weekday(day).c_encoding()]);
  text += ", " + part(unsigned{date.day()}) + " ";
  text += kMonths[unsigned{date.month()} - 1];
  text += " " + std::to_string(int{date.year()}) + " " + part(clock.hours().count()) + ":" +
          part(clock.minutes().count()) + ":" + part(clock.seconds().count()) + " GMT";
  return text;
}

std::string response_head(int status, const std::vector<Header>& headers, const HeadFacts& facts) {
  std::string head = "HTTP/1.1 " + std::to_string(status) + " ";
  head.append(reason_phrase(status)).append("\r\n");
  put(head, "Date", http_date(facts.now));
  put(head, "Server", "sbx");
  put(head, "X-Request-Id", facts.request_id);
  for (const Header& header : headers) put(head, header.name, header.value);
  if (facts.content_length) put(head, "Content-Length", std::to_string(*facts.content_length));
  if (facts.chunked) put(head, "Transfer-Encoding", "chunked");
  if (!facts.upgrade.empty()) {
    put(head, "Connection", "Upgrade");
    put(head, "Upgrade", facts.upgrade);
  } else if (!facts.keep_alive) {
    put(head, "Connection", "close");
  } else if (!facts.http_1_1) {
    put(head, "Connection", "keep-alive");  // not the default there (RFC 9112 appendix C.2.2)
  }
  return head + "\r\n";
}

}  // namespace sbx::http
