// What is said of files of projects in JSON, by sbxctl and over the API (docs/api.md, "Files of a project").
// A name that is no UTF-8 comes as base64, with "_base64" behind its key.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "project_files/project_files.h"

namespace sbx {

nlohmann::ordered_json file_json(const project_files::StoredFile& file);
nlohmann::ordered_json file_json(const project_files::ListedFile& listed);
nlohmann::ordered_json file_json(const project_files::PutAnswer& answer);
nlohmann::ordered_json file_json(const project_files::ExtractAnswer& answer);
nlohmann::ordered_json file_json(const project_files::CheckReport& report);
// "files", and "more": whether there are others.
nlohmann::ordered_json file_json(const project_files::Listing& listing);

const char* file_type_name(FileType type);

}  // namespace sbx
