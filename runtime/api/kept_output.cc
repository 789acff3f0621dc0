#include "api/kept_output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/names.h"
#include "os/file.h"

namespace sbx::api {
namespace {

constexpr int kAtOnce = 128;

}  // namespace

Result<UniqueFd> KeptOutput::open(const std::string& id) const {
  return os::open_at(AT_FDCWD, path(id), O_RDONLY | O_NOFOLLOW);
}

std::optional<std::uint64_t> KeptOutput::size(const std::string& id) const {
  struct stat status {};
  if (lstat(path(id).c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  return static_cast<std::uint64_t>(status.st_size);
}

// One that cannot be removed is tried again by the next sweep.
void KeptOutput::forget(const std::string& id) const { (void)unlink(path(id).c_str()); }

bool KeptOutput::sweep_some(const std::function<bool(const std::string& id)>& wanted) {
  if (!swept_) swept_.reset(opendir(directory_.c_str()));
  for (int i = 0; i < kAtOnce && swept_; ++i) {
    const dirent* entry = readdir(swept_.get());
    if (entry == nullptr) {
      swept_.reset();
    } else if (const std::string id = entry->d_name; check_run_id("", id) && !wanted(id)) {
      forget(id);
    }
  }
  return swept_ != nullptr;
}

}  // namespace sbx::api
