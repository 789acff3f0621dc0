#include "run/gather_facts.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/names.h"
#include "os/file.h"
#include "os/mount.h"
#include "resource/bind_targets.h"
#include "resource/granted_binds.h"
#include "resource/host_needs.h"
#include "resource/image_store.h"

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

// Whether it is a file.
Result<bool> look_at_bind(const RunRequest& request, const BindRequest& bind, const Policy& policy,
                          const std::optional<os::FileRights>& client, BindSources& sources) {
  const std::string what = bind_flag_name(bind.flag);
  Result<UniqueFd> fd = client ? open_granted_bind(policy, *client, bind) : open_bind_source(request, bind);
  // Who is not root only asks, and may not see what root's run will.
  if (!fd && fd.error().error_number == EACCES && geteuid() != 0) return false;
  if (!fd) return fail(Error(fd.error()).while_doing(what));
  const struct stat status = TRY_DOING(what, os::stat_fd(fd->get(), bind.host));
  if (!S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode)) {
    return fail(what + ": '" + bind.host + "' is neither a directory nor a regular file");
  }
  const std::string type = os::file_system_name(fd->get());
  const bool may_be_unmapped =
      std::ranges::find(policy.allow_degraded, "idmapped_mounts") != policy.allow_degraded.end();
  if (refuses_id_map(type) && !may_be_unmapped) return fail(what + ": " + id_map_refusal(bind.host, type));
  const BindOwner owner =
      client ? owner_inside(*client, status.st_gid) : BindOwner{status.st_uid, status.st_gid};
  sources.opened.push_back({bind.host, std::move(*fd), owner.uid, owner.gid});
  return S_ISREG(status.st_mode);
}

}  // namespace

Result<void> gather_caller_facts(const RunRequest& request, const Policy& policy,
                                 const std::optional<os::FileRights>& client, PlanFacts& facts,
                                 BindSources& sources) {
  facts.binds_of_client = client.has_value();
  if (request.here) {
    const bool is_file = TRY(look_at_bind(request, *request.here, policy, client, sources));
    if (is_file) return fail("--here: '" + request.here->host + "' is not a directory");
  }
  for (const BindRequest& bind : request.binds) {
    const bool is_file = TRY(look_at_bind(request, bind, policy, client, sources));
    facts.bind_is_file.push_back(is_file);
  }
  TRY(check_bind_targets(request, facts, sources, client));
  read_hard_limits(facts);
  return {};
}

ProjectWish project_wish(const RunRequest& request, const Policy& policy, const LimitSet& granted) {
  ProjectWish wish;
  wish.layout = policy.workspace_layout;
  wish.limits = {granted.disk_bytes, granted.inodes};
  if (keeps_workspace(request) || branches_workspace(request))
    wish.asked = {request.limits.disk_bytes, request.limits.inodes};
  wish.mode = request.workspace_mode;
  wish.show_changes = request.show_changes;
  wish.transaction = request.transaction;
  wish.new_transaction = request.run_id.empty() ? new_run_id() : request.run_id;
  wish.task = request.task_id;
  wish.may_be_unlimited = std::ranges::find(policy.allow_degraded, "disk") != policy.allow_degraded.end();
  return wish;
}

void note_project(const Project& project, PlanFacts& facts) {
  facts.workspace_dir = project.workspace;
  facts.workspace_flat = project.layout == WorkspaceLayout::flat;
  facts.workspace_tree = project.tree;
  facts.workspace_branch = project.branch;
  // What a transaction has already is seen by its run alone.
  if (project.branch.empty() && project.generation.valid()) {
    facts.workspace_view = "/proc/self/fd/" + std::to_string(project.generation.get());
  } else if (project.branch.empty() && !project.is_mount) {
    facts.workspace_view = project.workspace + "/" + project.tree;
  }
  facts.project_bytes = project.limits.bytes;
  facts.project_inodes = project.limits.inodes;
}

Result<PlanFacts> look_up_facts(const Settings& settings, const Policy& policy, const RunRequest& request,
                                const std::optional<os::FileRights>& client, const LimitSet& granted) {
  PlanFacts facts;
  TRY(look_up_image(settings.state_dir, request.image, facts));
  if (!request.project.empty()) {
    const Project project = TRY(look_up_project(settings.state_dir, request.project,
                                                project_wish(request, policy, granted), facts.project));
    note_project(project, facts);
  }
  BindSources sources;
  TRY(gather_caller_facts(request, policy, client, facts, sources));
  return facts;
}

}  // namespace sbx
