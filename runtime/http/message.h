// What a handler is asked, and what it answers (RFC 9110).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace sbx::http {

struct Header {
  std::string name;
  std::string value;
};

// Who is at the other end of a connection, as the kernel told it when the connection was accepted.
struct Peer {
  bool local = false;  // a Unix socket: the ids are set, the address is empty
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;              // it may have ended since
  std::vector<gid_t> groups;  // supplementary
  std::string address;        // TCP: "127.0.0.1" or "::1"
  std::uint16_t port = 0;
  bool encrypted = false;  // TLS
};

struct Request {
  std::string method;  // as sent: methods are case-sensitive
  std::string target;  // as sent, for logs
  // Percent-decoded. It begins with '/', is UTF-8, and holds no control character, no "." or ".." component
  // and no
  // '/' or '\' that was percent-encoded.
  std::string path;
  std::vector<std::pair<std::string, std::string>>
      query;  // decoded, UTF-8 without control characters; '+' is a space
  std::vector<Header>
      headers;             // without line breaks and control characters but TAB; any other byte may be there
  std::string request_id;  // the client's X-Request-Id if that is one, else a new UUIDv7
  Peer peer;

  // The first header of that name, in whatever case; nullptr: there is none.
  [[nodiscard]] const std::string* header(std::string_view name) const;
  // The first value of that name in the query.
  [[nodiscard]] const std::string* query_value(std::string_view name) const;
  // Whether a header is a list (RFC 9110 section 5.6.1) with that token, in whatever case.
  [[nodiscard]] bool header_has(std::string_view name, std::string_view token) const;
};

// Connection, Content-Length, Date, Server, Transfer-Encoding and X-Request-Id are added by the server, and
// must not be here.
struct Response {
  int status = 200;
  std::vector<Header> headers;
  std::string body;
};

// An error for programs: application/problem+json (RFC 9457). `detail` is for a person.
Response problem(int status, std::string_view detail);

// "Not Found"; of a status that is not known "Unknown".
std::string_view reason_phrase(int status);

// ASCII only, as names of headers and tokens are compared.
bool equal_ignoring_case(std::string_view one, std::string_view other);

}  // namespace sbx::http
