#include "launch/stage.h"

#include <sys/stat.h>

#include <cerrno>

#include "os/file.h"

namespace sbx {

Result<void> make_stage(const LaunchPlan& plan) {
  TRY(os::make_directories(plan.stage, 0700));
  for (const MountCommand& command : plan.commands) {
    if (!command.target.starts_with('/')) continue;
    const std::string path = plan.stage + command.target;
    if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fail(system_error("mkdir", path, errno));
  }
  return {};
}

}  // namespace sbx
