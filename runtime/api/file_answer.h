// What sbx-files did, for a client.
#pragma once

#include <string>

#include "api/call.h"
#include "wire/files_protocol.h"

namespace sbx::api {

// Of one that failed.
struct FileProblem {
  int status = 500;
  std::string detail;
};
FileProblem problem_of(const FileRequest& request, const FileAnswer& answer);
// Of one that ended without an answer, or before all of it was there.
FileProblem problem_of(FilesEnd end, const std::string& why);

OrderedJson stat_json(const FileRequest& request, const FileAnswer& answer);
OrderedJson list_json(const FileRequest& request, const FileAnswer& answer);

}  // namespace sbx::api
