#include "wire/files_protocol.h"

#include <algorithm>
#include <array>

#include "base/hash.h"
#include "wire/wire.h"

namespace sbx {
namespace {

constexpr std::uint32_t kFilesVersion = 3;
constexpr std::uint64_t kMostFileBytes = INT64_MAX;
constexpr std::int32_t kMostErrno = 4095;
constexpr std::size_t kMostName = 255;
// The years 0 and 9999.
constexpr std::int64_t kFirstMs = -62'167'219'200'000;
constexpr std::int64_t kLastMs = 253'402'300'799'999;

bool is_path(std::string_view path, bool may_be_empty) {
  return (may_be_empty || !path.empty()) && path.size() <= kMostFilePath &&
         path.find('\0') == std::string_view::npos;
}

bool is_hash(std::string_view hash) { return hash.empty() || is_sha256_hex(hash); }

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kMostName && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
}

void put(wire::Writer& out, const FileStat& stat) {
  out.put(stat.type);
  out.put(stat.size);
  out.put(stat.mode);
  out.put(stat.uid);
  out.put(stat.gid);
  out.put(stat.changed_ms);
  out.put(stat.target);
}

FileStat get_stat(wire::Reader& in) {
  FileStat stat;
  stat.type = in.get_enum(FileType::other);
  stat.size = in.get<std::uint64_t>();
  stat.mode = in.get<std::uint32_t>();
  stat.uid = in.get<std::uint32_t>();
  stat.gid = in.get<std::uint32_t>();
  stat.changed_ms = in.get<std::int64_t>();
  stat.target = in.get_string();
  if (stat.size > kMostFileBytes || stat.mode > 07777 || stat.changed_ms < kFirstMs ||
      stat.changed_ms > kLastMs || !is_path(stat.target, true))
    in.mark_failed();
  return stat;
}

// As the encoder writes it: nothing has no value.
std::optional<std::uint64_t> get_optional(wire::Reader& in, std::uint64_t most) {
  const bool present = in.get_bool();
  const auto value = in.get<std::uint64_t>();
  if (value > most || (!present && value != 0)) in.mark_failed();
  return present ? std::optional(value) : std::nullopt;
}

}  // namespace

bool is_media_type(std::string_view text) {
  constexpr std::size_t kMostPart = 127;
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  const auto good = [](std::string_view part) {
    static constexpr std::string_view kOther = "!#$&-^_.+";
    const auto fits = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             kOther.find(c) != std::string_view::npos;
    };
    return !part.empty() && part.size() <= kMostPart && std::ranges::all_of(part, fits);
  };
  return good(text.substr(0, slash)) && good(text.substr(slash + 1));
}

const char* file_step_name(FileStep step) {
  static constexpr std::array<const char*, 13> kNames{"none",   "open",   "stat",     "read", "write",
                                                      "rename", "remove", "mkdir",    "list", "type",
                                                      "range",  "input",  "condition"};
  return kNames[static_cast<std::size_t>(step)];
}

std::string encode_file_request(const FileRequest& request) {
  wire::Writer out;
  out.put(kFilesVersion);
  out.put(request.operation);
  out.put(request.path);
  out.put(request.to);
  out.put(request.from);
  out.put(request.most);
  out.put(request.mode);
  for (const bool flag :
       {request.parents, request.recursive, request.replace, request.follow, request.hash, request.fresh})
    out.put(static_cast<std::uint8_t>(flag));
  out.put(request.expected);
  out.put(request.after);
  out.put(request.entries);
  return std::move(out).take();
}

Result<FileRequest> decode_file_request(std::string_view bytes) {
  wire::Reader in(bytes);
  FileRequest request;
  if (in.get<std::uint32_t>() != kFilesVersion) in.mark_failed();
  request.operation = in.get_enum(FileOperation::move);
  request.path = in.get_string();
  request.to = in.get_string();
  request.from = get_optional(in, kMostFileBytes);
  request.most = get_optional(in, kMostFileBytes);
  request.mode = get_optional(in, 0777);
  for (bool* flag : {&request.parents, &request.recursive, &request.replace, &request.follow, &request.hash,
                     &request.fresh})
    *flag = in.get_bool();
  request.expected = in.get_string();
  request.after = in.get_string();
  request.entries = in.get<std::uint32_t>();
  const bool moves = request.operation == FileOperation::move;
  if (!is_hash(request.expected) || !is_path(request.path, false) || !is_path(request.to, !moves) ||
      request.to.empty() == moves || (!request.after.empty() && !is_name(request.after)) ||
      request.entries > kMostFileEntries)
    in.mark_failed();
  TRY(in.finish("file request"));
  return request;
}

std::string encode_file_answer(const FileAnswer& answer) {
  wire::Writer out;
  out.put(kFilesVersion);
  out.put(answer.failed);
  out.put(answer.error_number);
  out.put(static_cast<std::uint8_t>(answer.created));
  put(out, answer.stat);
  out.put(answer.sha256);
  out.put(answer.name);
  out.put(answer.mime);
  out.put(answer.from);
  out.put(answer.follow);
  out.put(static_cast<std::uint32_t>(answer.entries.size()));
  for (const FileEntry& entry : answer.entries) {
    out.put(entry.name);
    put(out, entry.stat);
  }
  out.put(static_cast<std::uint8_t>(answer.more));
  return std::move(out).take();
}

Result<FileAnswer> decode_file_answer(std::string_view bytes) {
  wire::Reader in(bytes);
  FileAnswer answer;
  if (in.get<std::uint32_t>() != kFilesVersion) in.mark_failed();
  answer.failed = in.get_enum(FileStep::condition);
  answer.error_number = in.get<std::int32_t>();
  if (answer.failed == FileStep::none ? answer.error_number != 0
                                      : answer.error_number < 1 || answer.error_number > kMostErrno)
    in.mark_failed();
  answer.created = in.get_bool();
  answer.stat = get_stat(in);
  answer.sha256 = in.get_string();
  answer.name = in.get_string();
  answer.mime = in.get_string();
  if (!answer.name.empty() && !is_name(answer.name)) in.mark_failed();
  if (!is_hash(answer.sha256) || (!answer.mime.empty() && !is_media_type(answer.mime))) in.mark_failed();
  answer.from = in.get<std::uint64_t>();
  answer.follow = get_optional(in, kMostFileBytes);
  if (answer.from > kMostFileBytes || answer.from + answer.follow.value_or(0) > kMostFileBytes)
    in.mark_failed();
  const std::uint32_t count = in.get_count();
  if (count > kMostFileEntries) in.mark_failed();
  answer.entries.resize(in.failed() ? 0 : count);
  const std::string* before = nullptr;
  for (FileEntry& entry : answer.entries) {
    entry.name = in.get_string();
    entry.stat = get_stat(in);
    if (!is_name(entry.name) || (before != nullptr && entry.name <= *before)) in.mark_failed();
    if (in.failed()) break;
    before = &entry.name;
  }
  answer.more = in.get_bool();
  if (answer.more && answer.entries.empty()) in.mark_failed();
  TRY(in.finish("file answer"));
  return answer;
}

std::string file_frame(std::string_view bytes) {
  wire::Writer out;
  out.put(bytes);
  return std::move(out).take();
}

}  // namespace sbx
