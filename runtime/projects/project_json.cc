#include "projects/project_json.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "base/times.h"

namespace sbx {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

const char* storage_name(ProjectStorage storage) {
  switch (storage) {
  case ProjectStorage::image: return "image";
  case ProjectStorage::quota: return "quota";
  case ProjectStorage::directory: break;
  }
  return "directory";
}

}  // namespace

Json project_json(const ProjectInfo& info) {
  return {{"project_id", info.id},
          {"name", "sbx-project-" + info.id},
          {"layout", info.layout == WorkspaceLayout::flat ? "flat" : "split"},
          {"storage", storage_name(info.storage)},
          {"limits", {{"disk_bytes", or_null(info.limits.bytes)}, {"inodes", or_null(info.limits.inodes)}}},
          {"in_use", info.in_use},
          {"created_at", info.created_ms ? Json(rfc3339(*info.created_ms)) : Json()},
          {"last_used_at", info.used_ms != 0 ? Json(rfc3339(info.used_ms)) : Json()}};
}

Json transactions_json(const std::vector<BranchRecord>& records) {
  Json all = Json::array();
  for (const BranchRecord& record : records) {
    all.push_back({{"id", record.id},
                   {"base", record.base},
                   {"created_at", or_null(record.created)},
                   {"task_id", or_null(record.task)}});
  }
  return all;
}

Json snapshot_json(const SnapshotRecord& record) {
  return {{"name", record.name}, {"generation", record.generation}, {"created_at", record.created}};
}

Json snapshots_json(const std::vector<SnapshotRecord>& records) {
  Json all = Json::array();
  for (const SnapshotRecord& record : records) all.push_back(snapshot_json(record));
  return all;
}

}  // namespace sbx
