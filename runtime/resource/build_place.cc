#include "resource/build_place.h"

#include <linux/mount.h>

#include "os/file.h"
#include "os/mount.h"

namespace sbx {

Result<UniqueFd> make_build_place(const std::string& run_dir, const LimitSet& limits, uid_t owner) {
  const std::string id = std::to_string(owner);
  os::MountOptions options{{"mode", "0755"}, {"uid", id}, {"gid", id}};
  if (limits.tmp_bytes) options.emplace_back("size", std::to_string(*limits.tmp_bytes));
  if (limits.inodes) options.emplace_back("nr_inodes", std::to_string(*limits.inodes + 1));
  UniqueFd mount = TRY(os::new_mount("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
  const std::string place = run_dir + "/stage/build";
  TRY(os::make_directories(place, 0700));
  TRY(os::attach_mount(mount.get(), place));
  return mount;
}

}  // namespace sbx
