// What is said of projects in JSON, by sbxctl and over the API (docs/api.md, "Projects").
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "resource/project_care.h"
#include "resource/project_store.h"

namespace sbx {

nlohmann::ordered_json project_json(const ProjectInfo& info);
nlohmann::ordered_json transactions_json(const std::vector<BranchRecord>& records);
nlohmann::ordered_json snapshots_json(const std::vector<SnapshotRecord>& records);
nlohmann::ordered_json snapshot_json(const SnapshotRecord& record);

}  // namespace sbx
