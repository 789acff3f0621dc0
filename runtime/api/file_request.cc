#include "api/file_request.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "api/call.h"
#include "base/hash.h"
#include "base/printable.h"
#include "base/suggest.h"

namespace sbx::api {
namespace {

constexpr std::uint32_t kEntries = 1000;  // of a page, if not said

std::vector<std::string_view> known_fields(FileOperation operation) {
  switch (operation) {
  case FileOperation::read: return {"path", "path_base64"};
  case FileOperation::write: return {"path", "path_base64", "mode", "parents"};
  case FileOperation::list: return {"path", "path_base64", "limit", "cursor"};
  case FileOperation::stat: return {"path", "path_base64", "follow", "hash"};
  case FileOperation::remove: return {"path", "path_base64", "recursive"};
  case FileOperation::directory: return {"path", "path_base64", "parents"};
  case FileOperation::move: return {"from", "from_base64", "to", "to_base64", "parents", "replace"};
  }
  return {};
}

Result<void> check_fields(const std::vector<std::string_view>& known, const http::Request& request) {
  constexpr std::string_view kBase64 = "_base64";
  std::vector<std::string_view> seen;
  for (const auto& [name, value] : request.query) {
    if (std::ranges::find(known, name) == known.end())
      return fail("'" + printable(name.substr(0, 64)) + "' is not known: " + suggest(name, known));
    std::string_view field = name;
    if (field.ends_with(kBase64)) field.remove_suffix(kBase64.size());
    if (std::ranges::find(seen, field) != seen.end()) return fail(std::string(field) + ": is there twice");
    seen.push_back(field);
  }
  return {};
}

std::optional<std::string> from_base64(std::string_view text) {
  std::string bytes(text.size(), '\0');
  for (const int variant : {sodium_base64_VARIANT_ORIGINAL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING,
                            sodium_base64_VARIANT_URLSAFE, sodium_base64_VARIANT_URLSAFE_NO_PADDING}) {
    std::size_t size = 0;
    if (sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(),
                          text.size(), nullptr, &size, nullptr, variant) != 0)
      continue;
    bytes.resize(size);
    return bytes;
  }
  return std::nullopt;
}

Result<std::string> path_of(const http::Request& request, const std::string& field) {
  std::optional<std::string> path;
  if (const std::string* text = request.query_value(field)) path = *text;
  if (const std::string* encoded = request.query_value(field + "_base64")) {
    path = from_base64(*encoded);
    if (!path) return fail(field + "_base64: is no base64");
  }
  if (!path || path->empty()) return fail(field + ": give the name of a file, or " + field + "_base64");
  if (path->size() > kMostFilePath) return fail(field + ": is longer than 4095 bytes");
  if (path->find('\0') != std::string::npos) return fail(field + ": holds a zero byte");
  return *path;
}

// Of digits only, all of it.
std::optional<std::uint64_t> number_of(std::string_view text, int base = 10) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<std::optional<std::uint64_t>> mode_of(const http::Request& request) {
  const std::string* text = request.query_value("mode");
  if (text == nullptr) return std::optional<std::uint64_t>();
  const auto mode = number_of(*text, 8);
  if (!mode || *mode > 0777 || text->size() > 4)
    return fail("mode: octal permissions of a file, 0000 to 0777, not '" + printable(text->substr(0, 64)) +
                "'");
  return mode;
}

Result<void> read_page(const http::Request& request, FileRequest& asked) {
  asked.entries = kEntries;
  if (const std::string* text = request.query_value("limit")) {
    const auto limit = number_of(*text);
    if (!limit || *limit == 0 || *limit > kMostFileEntries) return fail("limit: give 1 to 10000");
    asked.entries = static_cast<std::uint32_t>(*limit);
  }
  const std::string* cursor = request.query_value("cursor");
  if (cursor == nullptr) return {};
  const auto after = from_base64(*cursor);
  if (!after || after->empty())
    return fail("cursor: is not one of ours; give the next_cursor of the page before");
  asked.after = *after;
  return {};
}

// What has to be there for a file to be written (RFC 9110 sections 8.8.3, 13.1.1 and 13.1.2): one version of
// it, by the SHA-256 that its ETag is, or none.
Result<void> read_conditions(const http::Request& request, FileRequest& asked) {
  if (const std::string* match = request.header("If-Match")) {
    const std::string_view tag = *match;
    const bool quoted = tag.size() > 2 && tag.front() == '"' && tag.back() == '"';
    if (quoted) asked.expected = tag.substr(1, tag.size() - 2);
    if (!is_sha256_hex(asked.expected))
      return fail("If-Match: give the ETag of one version, its SHA-256 in quotes");
  }
  if (const std::string* none = request.header("If-None-Match")) {
    if (*none != "*") return fail("If-None-Match: give '*', which writes only where no file is");
    asked.fresh = true;
  }
  if (asked.fresh && !asked.expected.empty()) return fail("If-Match and If-None-Match: give one of them");
  return {};
}

// One range of bytes (RFC 9110 section 14.2); any other is as if it were not there, and so is one that holds
// only for a version of the file, as we name none.
void read_range(const http::Request& request, FileRequest& asked) {
  constexpr std::string_view kUnit = "bytes=";
  const std::string* header = request.header("Range");
  if (header == nullptr || request.header("If-Range") != nullptr || !header->starts_with(kUnit)) return;
  const std::string_view range = std::string_view(*header).substr(kUnit.size());
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos) return;
  const auto first = number_of(range.substr(0, dash));
  const auto last = number_of(range.substr(dash + 1));
  const bool open = dash + 1 == range.size();
  if (first.value_or(0) > INT64_MAX || last.value_or(0) >= INT64_MAX) return;
  if (dash == 0 && last) {
    asked.most = last;
  } else if (first && open) {
    asked.from = first;
  } else if (first && last && *last >= *first) {
    asked.from = first;
    asked.most = *last - *first + 1;
  }
}

}  // namespace

Result<FileRequest> parse_file_request(FileOperation operation, const http::Request& request,
                                       std::vector<std::string_view> fields) {
  if (fields.empty()) fields = known_fields(operation);
  TRY(check_fields(fields, request));
  // RFC 9110 section 14.5: it would become the whole file.
  if (operation == FileOperation::write && request.header("Content-Range") != nullptr)
    return fail("Content-Range: a part of a file cannot be written");
  FileRequest asked;
  asked.operation = operation;
  const bool moves = operation == FileOperation::move;
  asked.path = TRY(path_of(request, moves ? "from" : "path"));
  if (moves) asked.to = TRY(path_of(request, "to"));
  asked.mode = TRY(mode_of(request));
  asked.parents = TRY(flag_of(request, "parents"));
  asked.recursive = TRY(flag_of(request, "recursive"));
  asked.replace = TRY(flag_of(request, "replace"));
  asked.follow = TRY(flag_of(request, "follow"));
  asked.hash = TRY(flag_of(request, "hash"));
  if (operation == FileOperation::write) TRY(read_conditions(request, asked));
  if (operation == FileOperation::list) TRY(read_page(request, asked));
  if (operation == FileOperation::read) read_range(request, asked);
  // As its reader will: what is left is a name that no directory has.
  if (const auto read = decode_file_request(encode_file_request(asked)); !read)
    return fail("cursor: is not one of ours; give the next_cursor of the page before");
  return asked;
}

std::string file_cursor(std::string_view name) {
  constexpr int kVariant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
  std::string text(sodium_base64_ENCODED_LEN(name.size(), kVariant), '\0');
  (void)sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(name.data()),
                          name.size(), kVariant);
  text.pop_back();  // the zero
  return text;
}

}  // namespace sbx::api
