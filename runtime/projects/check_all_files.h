// The lists of projects' files, held against the files when a supervisor starts and in each cleanup.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "run/settings.h"

namespace sbx {

// Of each project that differed, or could not be looked at: "project", how many files were "missing",
// "changed" or "returned", and "failure", or null. Their names go to standard error. The lists are repaired,
// no file is touched.
nlohmann::ordered_json check_all_files(const Settings& settings);

}  // namespace sbx
