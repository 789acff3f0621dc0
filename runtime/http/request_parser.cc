#include "http/request_parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "http/parse_target.h"

namespace sbx::http {
namespace {

namespace beast = boost::beast;
using ErrorCode = beast::error_code;

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

class RequestParser::Head : public beast::http::basic_parser<true> {
 public:
  explicit Head(std::size_t header_limit) : limit_(header_limit) {
    // Beast would count the request line and the headers apart, so its own limit is only the upper one.
    this->header_limit(static_cast<std::uint32_t>(header_limit));
    this->skip(true);  // the body
  }

  Result<std::size_t, ParseFailure> parse(std::string_view input) {
    ErrorCode error;
    const std::size_t used = put({input.data(), input.size()}, error);
    if (failure_) return tl::unexpected(*failure_);
    bytes_ += used;
    const std::size_t pending = is_header_done() ? 0 : input.size() - used;
    if (bytes_ + pending > limit_ || error == beast::http::error::header_limit) return too_long(input);
    if (error && error != beast::http::error::need_more) {
      return tl::unexpected(ParseFailure{400, "this is no request: " + error.message()});
    }
    // Beast takes a line that begins with a space for more of the one before, and others for something else.
    const std::string_view lines = input.substr(0, used);
    if (lines.find("\r\n ") != std::string_view::npos || lines.find("\r\n\t") != std::string_view::npos) {
      return tl::unexpected(ParseFailure{400, "a header goes over more than one line"});
    }
    return used;
  }

  RequestHead values_;

 private:
  [[nodiscard]] tl::unexpected<ParseFailure> too_long(std::string_view input) const {
    const std::string limit = std::to_string(limit_) + " bytes";
    if (values_.method.empty() && input.find("\r\n") == std::string_view::npos) {
      return tl::unexpected(ParseFailure{414, "the request line is longer than " + limit});
    }
    return tl::unexpected(ParseFailure{431, "the headers are longer than " + limit});
  }

  // Any error ends Beast's parsing; what is answered is ours.
  void refuse(ErrorCode& error, int status, std::string detail) {
    failure_ = ParseFailure{status, std::move(detail)};
    error = beast::http::error::bad_value;
  }

  void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target, int version,
                       ErrorCode& error) override {
    if (target.size() > kMaxTargetBytes) return refuse(error, 414, "the target is longer than 8192 bytes");
    values_.method = view(method);
    values_.target = view(target);
    values_.http_1_1 = version == 11;
  }

  void on_field_impl(beast::http::field field, beast::string_view name, beast::string_view value,
                     ErrorCode& error) override {
    if (values_.headers.size() == kMaxHeaders) return refuse(error, 431, "there are more than 128 headers");
    if (field == beast::http::field::host && ++hosts_ > 1)
      return refuse(error, 400, "there is more than one Host");
    if (field == beast::http::field::content_length && ++lengths_ > 1) {
      return refuse(error, 400, "there is more than one Content-Length");
    }
    // Beast takes "5, 5", and an encoding that does not end in "chunked" for no body at all.
    if (field == beast::http::field::content_length && value.find(',') != beast::string_view::npos) {
      return refuse(error, 400, "there is more than one Content-Length");
    }
    if (field == beast::http::field::transfer_encoding) {
      if (++encodings_ > 1 || !equal_ignoring_case(view(value), "chunked")) {
        return refuse(error, 400, "the only Transfer-Encoding that is understood is 'chunked'");
      }
      if (!values_.http_1_1) return refuse(error, 400, "HTTP/1.0 has no Transfer-Encoding");
    }
    values_.headers.push_back({std::string(view(name)), std::string(view(value))});
  }

  void on_header_impl(ErrorCode& error) override {
    if (values_.http_1_1 && hosts_ == 0) return refuse(error, 400, "there is no Host");
    values_.keep_alive = keep_alive();
    values_.chunked = chunked();
    if (const auto length = content_length()) values_.content_length = *length;
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}

  std::size_t on_body_impl(beast::string_view, ErrorCode&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, ErrorCode&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view, ErrorCode&) override { return 0; }
  void on_finish_impl(ErrorCode&) override {}
  void on_response_impl(int, beast::string_view, int, ErrorCode&) override {}

  std::size_t limit_;
  std::size_t bytes_ = 0;
  int hosts_ = 0;
  int lengths_ = 0;
  int encodings_ = 0;
  std::optional<ParseFailure> failure_;
};

RequestParser::RequestParser(std::size_t header_limit) : head_(std::make_unique<Head>(header_limit)) {}

RequestParser::~RequestParser() = default;

Result<std::size_t, ParseFailure> RequestParser::parse(std::string_view input) {
  body_ = {};
  if (head_->is_header_done()) return parse_body(input);
  auto used = head_->parse(input);
  if (used && head_->is_header_done()) left_ = head().content_length.value_or(0);
  return used;
}

Result<std::size_t, ParseFailure> RequestParser::parse_body(std::string_view input) {
  if (head().chunked) {
    const Result<std::size_t> used = chunks_.read(input);
    if (!used) return tl::unexpected(ParseFailure{400, used.error().text});
    body_ = chunks_.bytes();
    return *used;
  }
  body_ = input.substr(0, std::min<std::uint64_t>(left_, input.size()));
  left_ -= body_.size();
  return body_.size();
}

bool RequestParser::head_done() const { return head_->is_header_done(); }

RequestHead& RequestParser::head() { return head_->values_; }

bool RequestParser::done() const {
  return head_done() && (head_->values_.chunked ? chunks_.done() : left_ == 0);
}

std::string_view RequestParser::body() const { return body_; }

}  // namespace sbx::http
