#include "api/multipart.h"

#include <algorithm>
#include <map>

#include "base/printable.h"
#include "http/message.h"

namespace sbx::api {
namespace {

constexpr std::size_t kMostBoundary = 70;
constexpr std::size_t kMostHead = 16U << 10U;
constexpr std::size_t kMostBefore = 64U << 10U;
constexpr std::string_view kLineEnd = "\r\n";

void skip_space(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
}

// A token, or a quoted string (RFC 9110 section 5.6.4), from the front of `text`.
std::optional<std::string> take_value(std::string_view& text) {
  if (!text.starts_with('"')) {
    const std::size_t end = std::min(text.find_first_of("; \t"), text.size());
    std::string value(text.substr(0, end));
    text.remove_prefix(end);
    return value;
  }
  std::string value;
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (text[at] == '"') {
      text.remove_prefix(at + 1);
      return value;
    }
    // Some say a path of theirs with its backslashes as they are.
    const bool escaped =
        text[at] == '\\' && at + 1 < text.size() && (text[at + 1] == '"' || text[at + 1] == '\\');
    value += text[escaped ? ++at : at];
  }
  return std::nullopt;
}

struct HeaderValue {
  std::string_view kind;
  std::map<std::string, std::string, std::less<>> parameters;
};

// "form-data; name=x; filename=y". Nothing: it is none.
std::optional<HeaderValue> parse_value(std::string_view text) {
  HeaderValue found;
  skip_space(text);
  const std::size_t end = std::min(text.find_first_of("; \t"), text.size());
  found.kind = text.substr(0, end);
  text.remove_prefix(end);
  while (true) {
    skip_space(text);
    if (text.empty()) return found;
    if (!text.starts_with(';')) return std::nullopt;
    text.remove_prefix(1);
    skip_space(text);
    const std::size_t equals = text.find('=');
    if (text.empty()) return found;
    if (equals == std::string_view::npos) return std::nullopt;
    std::string name(text.substr(0, equals));
    std::ranges::transform(name, name.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 'a' - 'A') : c;
    });
    text.remove_prefix(equals + 1);
    auto value = take_value(text);
    if (!value || !found.parameters.emplace(std::move(name), std::move(*value)).second) return std::nullopt;
  }
}

Result<MultipartReader::Part> parse_disposition(std::string_view text) {
  const auto value = parse_value(text);
  if (!value || !http::equal_ignoring_case(value->kind, "form-data"))
    return fail("the Content-Disposition '" + printable(text.substr(0, kMostBoundary)) +
                "' is none of form-data");
  if (value->parameters.contains("filename*"))
    return fail("filename*: form-data has no such parameter (RFC 7578 section 4.2); give filename, in UTF-8");
  MultipartReader::Part part;
  if (const auto name = value->parameters.find("name"); name != value->parameters.end())
    part.name = name->second;
  if (const auto file = value->parameters.find("filename"); file != value->parameters.end())
    part.file = file->second;
  return part;
}

Result<MultipartReader::Part> parse_head(std::string_view head) {
  std::optional<MultipartReader::Part> part;
  while (!head.empty()) {
    const std::size_t end = std::min(head.find(kLineEnd), head.size());
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(end + kLineEnd.size(), head.size()));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos)
      return fail("a part of the body has a line in its head that is none");
    if (!http::equal_ignoring_case(line.substr(0, colon), "Content-Disposition")) continue;
    if (part) return fail("a part of the body has two Content-Dispositions");
    part = TRY(parse_disposition(line.substr(colon + 1)));
  }
  if (!part) return fail("a part of the body has no Content-Disposition");
  return *part;
}

}  // namespace

Result<std::optional<std::string>> multipart_boundary(std::string_view content_type) {
  constexpr std::string_view kKind = "multipart/form-data";
  const auto value = parse_value(content_type);
  if (!value || !http::equal_ignoring_case(value->kind, kKind)) {
    if (content_type.starts_with("multipart/"))
      return fail("Content-Type: of several parts only multipart/form-data is taken");
    return std::optional<std::string>();
  }
  const auto found = value->parameters.find("boundary");
  if (found == value->parameters.end()) return fail("Content-Type: multipart/form-data has no boundary");
  const std::string& boundary = found->second;
  constexpr std::string_view kOther = "'()+_,-./:=? ";  // RFC 2046 section 5.1.1
  const auto good = [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           kOther.find(c) != std::string_view::npos;
  };
  if (boundary.empty() || boundary.size() > kMostBoundary || boundary.ends_with(' ') ||
      !std::ranges::all_of(boundary, good))
    return fail("Content-Type: this boundary is none");
  return std::optional(boundary);
}

Result<MultipartReader::Next> MultipartReader::next() {
  switch (state_) {
  case State::before: return find_first();
  case State::behind_delimiter: return behind_delimiter();
  case State::head: return read_head();
  case State::content: return read_content();
  case State::over: waiting_.clear(); break;
  }
  return Next::end;
}

Result<MultipartReader::Next> MultipartReader::find_first() {
  const std::size_t at = waiting_.find(delimiter_);
  const std::size_t kept = std::min(waiting_.size(), delimiter_.size() - 1);
  const std::size_t before = std::min(at, waiting_.size() - kept);
  passed_over_ += before;
  waiting_.erase(0, before);
  if (passed_over_ > kMostBefore) return fail("the body has no part: its boundary is nowhere in it");
  if (at == std::string::npos) return Next::more;
  waiting_.erase(0, delimiter_.size());
  state_ = State::behind_delimiter;
  return behind_delimiter();
}

// "--" there is the end of all.
Result<MultipartReader::Next> MultipartReader::behind_delimiter() {
  // Spaces may be between it and the end of its line.
  const std::size_t at = std::min(waiting_.find_first_not_of(" \t"), waiting_.size());
  if (at > kMostHead) return fail("a boundary in the body is followed by too much");
  if (waiting_.size() - at < 2) return Next::more;
  const std::string_view two = std::string_view(waiting_).substr(at, 2);
  if (two == "--" && at == 0) {
    state_ = State::over;
    waiting_.clear();
    return Next::end;
  }
  if (two != kLineEnd)
    return fail("a boundary in the body is followed by what is neither a part nor the end");
  waiting_.erase(0, at);  // the end of the line stays: a part without a head begins with another one
  state_ = State::head;
  return read_head();
}

Result<MultipartReader::Next> MultipartReader::read_head() {
  const std::size_t end = waiting_.find("\r\n\r\n");
  if (end == std::string::npos || end > kMostHead) {
    if (waiting_.size() > kMostHead) return fail("a part of the body has a head of more than 16 KiB");
    return Next::more;
  }
  const std::size_t begin = std::min(end, kLineEnd.size());
  part_ = TRY(parse_head(std::string_view(waiting_).substr(begin, end - begin)));
  waiting_.erase(0, end + 2 * kLineEnd.size());
  state_ = State::content;
  return Next::part;
}

MultipartReader::Next MultipartReader::read_content() {
  const std::size_t at = waiting_.find(delimiter_);
  if (at == 0) {
    waiting_.erase(0, delimiter_.size());
    state_ = State::behind_delimiter;
    return Next::part_end;
  }
  const std::size_t kept = std::min(waiting_.size(), delimiter_.size() - 1);
  const std::size_t size = at == std::string::npos ? waiting_.size() - kept : at;
  if (size == 0) return Next::more;
  content_ = waiting_.substr(0, size);
  waiting_.erase(0, size);
  return Next::content;
}

}  // namespace sbx::api
