#include "resource/own_directories.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "policy/trusted_file.h"

namespace sbx {
namespace {

Result<void> check_own(const std::string& path, bool may_be_link) {
  struct stat status {};
  if ((may_be_link ? stat(path.c_str(), &status) : lstat(path.c_str(), &status)) != 0) {
    if (errno == ENOENT) return {};
    return fail(system_error("stat", path, errno));
  }
  if (!S_ISDIR(status.st_mode)) return fail(system_error("open", path, ENOTDIR));
  if (status.st_uid != geteuid()) {
    return fail("'" + path + "' belongs to uid " + std::to_string(status.st_uid) +
                ", who could change what sandboxes are made of: chown root '" + path + "'");
  }
  return check_unwritable_by_others(path, status.st_mode);
}

}  // namespace

Result<void> check_own_directories(const std::string& state_dir, const std::string& run_dir) {
  constexpr bool kMayBeLink = true;  // the administrator's: /var/lib/sbx on another disk
  TRY(check_own(state_dir, kMayBeLink));
  for (const char* name : {"/host-root", "/images", "/projects", "/cache"})
    TRY(check_own(state_dir + name, false));
  TRY(check_own(run_dir, kMayBeLink));
  for (const char* name : {"/ids", "/stage"}) TRY(check_own(run_dir + name, false));
  return {};
}

}  // namespace sbx
