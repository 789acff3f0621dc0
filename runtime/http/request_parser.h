// Requests from bytes: Boost.Beast's parser of heads, and what it lets through that must be refused. Bodies
// are read here: Beast's reader of chunks ends the process when the first chunk is the last, and arrives in
// the wrong pieces.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/chunk_reader.h"
#include "http/message.h"

namespace sbx::http {

inline constexpr std::size_t kMaxHeaders = 128;

struct RequestHead {
  std::string method;
  std::string target;
  bool http_1_1 = false;
  bool keep_alive = false;
  std::vector<Header> headers;
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
};

// What is to be answered to a request that is none; the connection is of no use after it.
struct ParseFailure {
  int status = 400;
  std::string detail;
};

// Of one request. Refused besides what is no HTTP/1.0 or 1.1: a Transfer-Encoding that is not just "chunked",
// or beside a Content-Length, or in HTTP/1.0 (RFC 9112 section 6.1); more than one Content-Length; folded
// lines (section 5.2); no Host or two in HTTP/1.1 (section 3.2); more than kMaxHeaders headers.
class RequestParser {
 public:
  // `header_limit`: bytes of the request line and the headers together.
  explicit RequestParser(std::size_t header_limit);
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;
  ~RequestParser();

  // Reads a piece from the front of `input`, which is not empty; returns how many bytes that were. 0: more
  // are needed first, so the next `input` is a longer one. Not to be called after done() or a failure.
  Result<std::size_t, ParseFailure> parse(std::string_view input);

  [[nodiscard]] bool head_done() const;
  [[nodiscard]] RequestHead& head();
  [[nodiscard]] bool done() const;  // head and body
  // What the last parse() read of the body: a part of its `input`.
  [[nodiscard]] std::string_view body() const;

 private:
  class Head;
  [[nodiscard]] Result<std::size_t, ParseFailure> parse_body(std::string_view input);

  std::unique_ptr<Head> head_;
  std::uint64_t left_ = 0;  // of a body with a length
  ChunkReader chunks_;      // of one without
  std::string_view body_;
};

}  // namespace sbx::http
