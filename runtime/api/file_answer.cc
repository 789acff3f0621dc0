#include "api/file_answer.h"

#include <array>
#include <cerrno>

#include "api/file_request.h"
#include "base/printable.h"
#include "base/times.h"
#include "base/utf8.h"

namespace sbx::api {
namespace {

constexpr std::array<const char*, 7> kTypes{"file", "directory", "link", "fifo", "socket", "device", "other"};

const char* type_name(FileType type) { return kTypes[static_cast<std::size_t>(type)]; }

// `name` with the text; where that is no UTF-8, `name`_base64.
void put_name(OrderedJson& json, const std::string& name, const std::string& bytes) {
  if (valid_utf8_prefix(bytes) == bytes.size()) {
    json[name] = bytes;
  } else {
    json[name + "_base64"] = base64(bytes);
  }
}

void put_stat(OrderedJson& json, const FileStat& stat) {
  constexpr std::array<char, 8> kOctal{'0', '1', '2', '3', '4', '5', '6', '7'};
  std::string mode;
  for (unsigned shift = 12; shift > 0; shift -= 3) mode += kOctal[stat.mode >> (shift - 3) & 7U];
  json["type"] = type_name(stat.type);
  json["size"] = stat.size;
  json["mode"] = mode;
  json["uid"] = stat.uid;
  json["gid"] = stat.gid;
  json["modified_at"] = rfc3339(stat.changed_ms);
  if (stat.type == FileType::link) put_name(json, "target", stat.target);
}

// The names of docs/api.md, "Files of a sandbox".
int status_of(int error_number) {
  switch (error_number) {
  case ENOENT: return 404;
  case EACCES:
  case EPERM:
  case EROFS: return 403;
  case EEXIST:
  case ENOTEMPTY:
  case EISDIR:
  case ENOTDIR:
  case ELOOP:
  case EBUSY:
  case EXDEV:
  case ETXTBSY: return 409;
  case EFBIG: return 413;
  case EINVAL:
  case ENAMETOOLONG: return 400;
  case ENOSPC:
  case EDQUOT:
  case ENOMEM: return 507;
  case EMFILE:
  case ENFILE: return 503;
  default: return 500;
  }
}

const char* hint_of(FileOperation operation, int error_number) {
  if (operation == FileOperation::remove && error_number == ENOTEMPTY)
    return "; with recursive=true all that is in it goes";
  if (operation != FileOperation::move) return "";
  if (error_number == EEXIST) return "; with replace=true this takes its place";
  if (error_number == EXDEV) return "; that is another mount: read it, write it there and remove it here";
  return "";
}

}  // namespace

FileProblem problem_of(const FileRequest& request, const FileAnswer& answer) {
  if (answer.failed == FileStep::condition)
    return {412, "'" + printable(request.path) +
                     (answer.error_number == ENOENT   ? "' is not there"
                      : answer.error_number == EEXIST ? "' is there already"
                                                      : "' has another content by now") +
                     ": nothing was written"};
  if (answer.failed == FileStep::type)
    return {409, "'" + printable(request.path) + "' is a " + type_name(answer.stat.type) +
                     ": only regular files are read and written"};
  if (answer.failed == FileStep::range)
    return {416, "'" + printable(request.path) + "' has " + std::to_string(answer.stat.size) + " bytes"};
  const std::string path =
      printable(request.path) + (request.to.empty() ? "" : "' to '" + printable(request.to));
  std::string detail = system_error(file_step_name(answer.failed), path, answer.error_number).text;
  detail += hint_of(request.operation, answer.error_number);
  return {status_of(answer.error_number), std::move(detail)};
}

FileProblem problem_of(FilesEnd end, const std::string& why) {
  switch (end) {
  case FilesEnd::not_started: return {503, why};
  case FilesEnd::too_long: return {504, why};
  case FilesEnd::out_of_memory: return {507, why};
  case FilesEnd::sandbox_ended: return {409, why};
  case FilesEnd::done:
  case FilesEnd::failed: break;
  }
  return {500, why.empty() ? "the program in the sandbox that does it ended without an answer" : why};
}

OrderedJson stat_json(const FileRequest& request, const FileAnswer& answer) {
  OrderedJson json;
  put_name(json, "path", request.to.empty() ? request.path : request.to);
  put_stat(json, answer.stat);
  if (!answer.sha256.empty()) json["sha256"] = answer.sha256;
  return json;
}

OrderedJson list_json(const FileRequest& request, const FileAnswer& answer) {
  OrderedJson json;
  put_name(json, "path", request.path);
  OrderedJson& entries = json["entries"] = OrderedJson::array();
  for (const FileEntry& entry : answer.entries) {
    OrderedJson& one = entries.emplace_back();
    put_name(one, "name", entry.name);
    put_stat(one, entry.stat);
  }
  json["next_cursor"] =
      answer.more ? OrderedJson(file_cursor(answer.entries.back().name)) : OrderedJson(nullptr);
  return json;
}

}  // namespace sbx::api
