#include "run/gather_facts.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "resource/image_store.h"
#include "resource/projects.h"

namespace sbx {
namespace {

void read_hard_limits(PlanFacts& facts) {
  const auto hard = [](__rlimit_resource_t resource, std::uint64_t& target) {
    rlimit limit{};
    if (getrlimit(resource, &limit) == 0) target = limit.rlim_max;
  };
  hard(RLIMIT_NOFILE, facts.nofile_hard);
  hard(RLIMIT_STACK, facts.stack_hard);
  hard(RLIMIT_MEMLOCK, facts.memlock_hard);
  hard(RLIMIT_MSGQUEUE, facts.msgqueue_hard);
}

Result<void> look_up_image(const std::string& state_dir, const std::string& name, PlanFacts& facts) {
  if (name == kHostImage) {
    facts.image_root = state_dir + "/host-root";
    facts.host_usr = "/usr";
    return {};
  }
  Result<Image> image = find_image(state_dir, name);
  if (!image && image.error().error_number != EACCES) return fail(std::move(image).error());
  facts.image_root = image ? std::move(image->root) : "image " + name;
  if (image) facts.image_environment = std::move(image->environment);
  return {};
}

}  // namespace

Result<void> gather_caller_facts(const RunRequest& request, PlanFacts& facts) {
  for (const BindRequest& bind : request.binds) {
    struct stat status {};
    const int error = stat(bind.host.c_str(), &status) == 0 ? 0 : errno;
    // Who is not root only asks, and may not see what root's run will.
    if (error != 0 && (error != EACCES || geteuid() == 0))
      return fail(system_error("--bind: stat", bind.host, error));
    facts.bind_is_file.push_back(error == 0 && !S_ISDIR(status.st_mode));
  }
  read_hard_limits(facts);
  return {};
}

Result<PlanFacts> look_up_facts(const Settings& settings, const Policy& policy, const RunRequest& request) {
  PlanFacts facts;
  TRY(look_up_image(settings.state_dir, request.image, facts));
  if (!request.project.empty()) {
    Project project =
        TRY(look_up_project(settings.state_dir, request.project, policy.workspace_layout, facts.project));
    facts.workspace_dir = std::move(project.workspace);
    facts.workspace_flat = project.layout == WorkspaceLayout::flat;
  }
  TRY(gather_caller_facts(request, facts));
  return facts;
}

}  // namespace sbx
