#include "projects/file_json.h"

#include <array>
#include <nlohmann/json.hpp>

#include "base/times.h"
#include "base/utf8.h"

namespace sbx {
namespace {

using Json = nlohmann::ordered_json;

void put_name(Json& json, const std::string& key, const std::string& bytes) {
  if (valid_utf8_prefix(bytes) == bytes.size()) {
    json[key] = bytes;
  } else {
    json[key + "_base64"] = base64(bytes);
  }
}

Json names_json(const std::vector<std::string>& paths) {
  Json names = Json::array();
  for (const std::string& path : paths) {
    if (valid_utf8_prefix(path) == path.size()) {
      names.push_back(path);
    } else {
      names.push_back({{"path_base64", base64(path)}});
    }
  }
  return names;
}

template <class T>
Json list_json(const std::vector<T>& items) {
  Json list = Json::array();
  for (const T& item : items) list.push_back(file_json(item));
  return list;
}

}  // namespace

const char* file_type_name(FileType type) {
  static constexpr std::array<const char*, 7> kNames{"file",   "directory", "link", "fifo",
                                                     "socket", "device",    "other"};
  return kNames.at(static_cast<std::size_t>(type));
}

Json file_json(const project_files::StoredFile& file) {
  Json json{{"id", file.id}};
  put_name(json, "path", file.file.path);
  put_name(json, "original_name", file.original_name);
  json["size"] = file.file.size;
  json["mime"] = file.file.mime;
  json["sha256"] = file.file.sha256;
  json["created_at"] = rfc3339(file.created_ms);
  json["updated_at"] = rfc3339(file.updated_ms);
  json["by"] = file.by.empty() ? Json(nullptr) : Json(file.by);
  return json;
}

Json file_json(const project_files::ListedFile& listed) {
  Json json = Json::object();
  put_name(json, "path", listed.path);
  json["type"] = file_type_name(listed.stat.type);
  json["size"] = listed.stat.size;
  if (listed.stat.type == FileType::link) put_name(json, "target", listed.stat.target);
  json["modified_at"] = rfc3339(listed.stat.changed_ms);
  json["stored"] = listed.stored ? file_json(*listed.stored) : Json(nullptr);
  return json;
}

Json file_json(const project_files::PutAnswer& answer) {
  Json json = file_json(answer.file);
  json["created"] = answer.created;
  json["deduplicated"] = answer.deduplicated;
  return json;
}

Json file_json(const project_files::ExtractAnswer& answer) {
  Json refused = Json::array();
  for (const project_files::RefusedMember& member : answer.refused)
    refused.push_back({{"name", member.name}, {"why", member.why}});
  Json json = Json::object();
  put_name(json, "folder", answer.folder);
  json["files"] = list_json(answer.files);
  json["refused"] = std::move(refused);
  json["refused_count"] = answer.refused_count;
  return json;
}

Json file_json(const project_files::CheckReport& report) {
  return {{"missing", names_json(report.missing)},       {"returned", names_json(report.returned)},
          {"changed", names_json(report.changed)},       {"unknown", names_json(report.unknown)},
          {"adopted", names_json(report.adopted)},       {"unfinished", names_json(report.unfinished)},
          {"unreadable", names_json(report.unreadable)}, {"more", report.more}};
}

Json file_json(const project_files::Listing& listing) {
  return {{"files", list_json(listing.files)}, {"more", listing.more}};
}

}  // namespace sbx
