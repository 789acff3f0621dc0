// Entries of a directory, for those who walk through trees of hostile files.
#pragma once

#include <sys/stat.h>

#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx::tree {

// By name, in order of their bytes. What is gone before it was looked at is left out.
using Entries = std::map<std::string, struct stat>;

Result<Entries> read_entries(int directory);

// Nothing where there is no entry of that name.
Result<std::optional<struct stat>> stat_entry(int directory, const std::string& name);

// A directory or a regular file, which is what it was when it was looked at. `flags`: of open(2).
Result<UniqueFd> open_directory(int parent, const std::string& name);
Result<UniqueFd> open_regular(int parent, const std::string& name);

// An overlay's mark of something deleted in the layer below.
inline bool is_whiteout(const struct stat& status) { return S_ISCHR(status.st_mode) && status.st_rdev == 0; }

// An overlay's mark of a directory that hides the one below, in either name space of attributes.
bool is_opaque(int directory);

Result<std::string> read_link(int parent, const std::string& name);

inline std::string join(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : directory + "/" + name;
}

}  // namespace sbx::tree
