#include "plan/plan_mounts.h"

#include <linux/mount.h>

#include <algorithm>
#include <span>

#include "base/path.h"
#include "language/placeholders.h"
#include "plan/proc_masks.h"
#include "request/check_binds.h"

namespace sbx {
namespace {

constexpr std::uint64_t kReadOnly = MOUNT_ATTR_RDONLY;
constexpr std::uint64_t kSafe = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
constexpr std::uint64_t kInert = kSafe | MOUNT_ATTR_NOEXEC;
constexpr const char* kProject = "/project";

// Parents before children: "a", "a/b", "a/b/c".
std::vector<std::string> with_parents(const std::string& prefix, std::string_view path) {
  std::vector<std::string> list;
  for (std::size_t at = 0; at != std::string_view::npos;) {
    at = path.find('/', at + 1);
    list.push_back(prefix + std::string(path.substr(0, at)));
  }
  return list;
}

class MountPlanner {
 public:
  MountPlanner(const RunRequest& request, const Policy& policy, const PlanFacts& facts, SandboxPlan& plan)
      : request_(request), policy_(policy), facts_(facts), plan_(plan) {}

  Result<void> make() {
    TRY(check_binds(request_.binds));
    prepare_scratch();
    root();
    host_usr();
    devices();
    proc();
    bind("/scratch/tmp", "tmp", 0);
    bind("/scratch/var_tmp", "var/tmp", 0);
    bind("/scratch/home", "home/sandbox", 0);
    workspace();
    TRY(here());
    copies_of_image();
    if (facts_.language) language(*facts_.language);
    for (std::size_t i = 0; i < request_.binds.size(); ++i) TRY(host_bind(i));
    return {};
  }

 private:
  // --- sources ---------------------------------------------------------------------------------------

  std::uint32_t add(MountSource source) {
    plan_.sources.push_back(std::move(source));
    return static_cast<std::uint32_t>(plan_.sources.size() - 1);
  }

  MountSource& scratch() { return plan_.sources[scratch_]; }
  MountSource& disk() { return plan_.sources[disk_]; }

  static void add_directory(MountSource& source, const std::string& name, std::uint32_t mode,
                            std::optional<std::uint32_t> owner, bool file = false) {
    const auto same = [&](const ScratchDirectory& directory) { return directory.name == name; };
    if (std::ranges::none_of(source.directories, same))
      source.directories.push_back({name, mode, owner, file, ""});
  }

  // Two file systems in memory: one for /tmp and its like, one for the workspace and upper layers.
  void prepare_scratch() {
    MountSource tmp;
    tmp.kind = MountSource::Kind::scratch;
    tmp.attributes = kSafe;
    tmp.size_bytes = plan_.limits.tmp_bytes;
    tmp.inodes = plan_.limits.inodes;
    tmp.limit = "tmp_bytes";
    scratch_ = add(tmp);
    add_directory(scratch(), "tmp", 01777, 0);
    add_directory(scratch(), "var_tmp", 01777, 0);
    add_directory(scratch(), "shm", 01777, 0);
    add_directory(scratch(), "home", 0700, kWorkloadId);
    add_directory(scratch(), "empty", 0555, 0);

    MountSource disk_source = tmp;
    disk_source.directories.clear();
    disk_source.size_bytes = plan_.limits.disk_bytes;
    disk_source.limit = "disk_bytes";
    disk_ = add(disk_source);
  }

  // --- commands --------------------------------------------------------------------------------------

  MountCommand& command(MountAction action, std::string target) {
    MountCommand next;
    next.action = action;
    next.target = std::move(target);
    plan_.commands.push_back(std::move(next));
    return plan_.commands.back();
  }

  void attach(std::uint32_t source, const std::string& target) {
    command(MountAction::attach, target).descriptor = source;
  }

  void attach_tree(const std::string& path, SourceIdMap id_map, std::uint64_t attributes,
                   const std::string& target, bool may_be_file) {
    MountSource tree;
    tree.path = path;
    tree.id_map = id_map;
    tree.attributes = attributes;
    tree.may_be_file = may_be_file;
    attach(add(tree), target);
  }

  void attach_project(std::uint64_t attributes) {
    MountSource workspace;
    workspace.kind = MountSource::Kind::workspace;
    workspace.path = facts_.workspace_dir;
    workspace.id_map = SourceIdMap::project;
    workspace.attributes = attributes;
    workspace.limit = "disk_bytes";
    attach(add(workspace), kProject);
  }

  void bind(const std::string& source, const std::string& target, std::uint64_t attributes) {
    MountCommand& next = command(MountAction::bind, target);
    next.source = source;
    next.attributes = attributes;
  }

  // A copy-on-write view at `target` of the tree attached at /LOWER. Its changes live in disk/NAME/upper,
  // whose attributes are those of the view's top directory.
  void overlay(const std::string& lower, const std::string& name, std::optional<std::uint32_t> owner,
               const std::string& target, std::uint64_t attributes) {
    add_layer(name, owner);
    MountCommand& next = command(MountAction::overlay, target);
    next.source = lower;
    next.upper = "/disk/" + name;
    next.attributes = attributes;
  }

  void add_layer(const std::string& name, std::optional<std::uint32_t> owner) {
    add_directory(disk(), name, 0700, std::nullopt);
    add_directory(disk(), name + "/upper", 0755, owner);
    add_directory(disk(), name + "/work", 0700, std::nullopt);
  }

  // --- the parts -------------------------------------------------------------------------------------

  // The image below a view of this sandbox's own: without it file locks and inotify watches on the shared
  // inodes would reach other sandboxes, and with image `host` the host. A layer above the image holds the
  // targets of binds, and what is written where the policy makes the root writable.
  void root() {
    attach_tree(facts_.image_root, SourceIdMap::sandbox, kReadOnly | kSafe, "/image", false);
    attach(scratch_, "/scratch");
    attach(disk_, "/disk");
    if (policy_.writable_root) {
      overlay("image", "root", 0, "/root", kSafe);
    } else {
      add_layer("root", 0);
      read_only_view("disk/root/upper:image", "/root");
    }
    command(MountAction::enter_root, "").source = "/root";
  }

  void host_usr() {
    if (facts_.host_usr.empty()) return;
    attach_tree(facts_.host_usr, SourceIdMap::host, kReadOnly | kSafe, "/usr", false);
    add_directory(disk(), "usr", 0755, 0);
    read_only_view("disk/usr:usr", "usr");
  }

  // At least two layers, as overlayfs wants where none of them is an upper one.
  void read_only_view(const std::string& layers, const std::string& target) {
    MountCommand& next = command(MountAction::overlay, target);
    next.source = layers;
    next.attributes = kSafe | kReadOnly;
  }

  void devices() {
    MountSource devices;
    devices.kind = MountSource::Kind::devices;
    devices.attributes = kReadOnly | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    attach(add(devices), "dev");
    command(MountAction::devpts, "dev/pts").attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    bind("/scratch/shm", "dev/shm", MOUNT_ATTR_NOEXEC);
    command(MountAction::mqueue, "dev/mqueue").attributes = kInert;
  }

  void proc() {
    command(MountAction::proc, "proc").attributes = kInert;
    for (const std::string_view path : kMaskedFiles) command(MountAction::mask_file, std::string(path));
    for (const std::string_view path : kMaskedDirectories) {
      MountCommand& mask = command(MountAction::mask_directory, std::string(path));
      mask.source = "/scratch/empty";
      mask.attributes = kReadOnly;
    }
    for (const std::string_view path : kReadOnlyPaths) {
      command(MountAction::read_only, std::string(path)).attributes = kReadOnly;
    }
  }

  void workspace() {
    if (facts_.workspace_dir.empty()) {
      add_directory(disk(), "workspace", 0755, 0);
      for (const char* folder : {"project_files", "agent_workspace", "outputs"}) {
        add_directory(disk(), std::string("workspace/") + folder, 0755, kWorkloadId);
      }
      bind("/disk/workspace", "workspace", 0);
      return;
    }
    // Its whole disk, of which the program sees one generation.
    const std::string tree = std::string(kProject) + "/" + facts_.workspace_tree;
    if (!facts_.workspace_branch.empty()) {
      attach_project(kSafe);
      MountCommand& next = command(MountAction::user_overlay, "workspace");
      next.source = tree.substr(1);
      next.upper = std::string(kProject) + "/" + facts_.workspace_branch;
      next.attributes = kSafe;
    } else if (request_.workspace_mode == WorkspaceMode::ephemeral) {
      attach_project(kReadOnly | kSafe);
      // The top of a split workspace belongs to the host's root, so that its folders stay what they are.
      overlay(tree.substr(1), "workspace_layer",
              facts_.workspace_flat ? std::optional(kWorkloadId) : std::nullopt, "workspace", kSafe);
    } else {
      attach_project(kSafe);
      bind(tree, "workspace", 0);
    }
    if (!facts_.workspace_flat) {
      command(MountAction::read_only, "workspace/project_files").attributes = kReadOnly;
    }
  }

  Result<void> here() {
    if (!request_.here) return {};
    if (facts_.workspace_flat) {
      return fail("--here: the project's layout is flat and has no project_files; use --bind");
    }
    attach_host(*request_.here, "workspace/project_files", false, "here");
    return {};
  }

  static std::string writable_name(std::size_t index) { return "writable" + std::to_string(index); }

  // They are thrown away.
  void copies_of_image() {
    for (std::size_t i = 0; i < facts_.writable.size(); ++i) {
      const std::string target = facts_.writable[i].substr(1);
      overlay("image/" + target, writable_name(i), kWorkloadId, target, kSafe);
    }
  }

  // The files that came with the request are in a file system of the sandbox's own before anything of it
  // runs.
  void language(const LanguageCommand& language) {
    if (language.build != BuildPlace::none) attach_build(language.build == BuildPlace::written);
    if (language.directory.empty()) return;
    const bool on_disk = is_below(language.directory, "/workspace");
    MountSource& source = on_disk ? disk() : scratch();
    for (const SourceFile& file : language.files) {
      const std::vector<std::string> parts = with_parents("", language.directory.substr(1) + "/" + file.name);
      for (const std::string& part : parts) {
        if (part != parts.back()) {
          add_directory(source, part, 0755, kWorkloadId);
          continue;
        }
        source.directories.push_back({part, 0644, kWorkloadId, true, file.content});
      }
    }
  }

  void attach_build(bool is_written) {
    const std::string target(kBuildPath.substr(1));
    add_directory(scratch(), target, 0755, 0);
    MountSource build;
    build.kind = MountSource::Kind::build;
    build.attributes = is_written ? kSafe : kSafe | kReadOnly;
    build.limit = "tmp_bytes";
    attach(add(build), target);
  }

  Result<void> host_bind(std::size_t index) {
    const BindRequest& bind_request = request_.binds[index];
    const bool is_file = index < facts_.bind_is_file.size() && facts_.bind_is_file[index];
    const std::string target = bind_request.inside.substr(1);
    if (is_file && bind_request.mode == BindMode::copy_on_write) {
      return fail(std::string(bind_flag_name(bind_request.flag)) + ": '" + bind_request.host +
                  "' is a file; only a directory can be copy-on-write");
    }
    make_target(target, is_file);
    attach_host(bind_request, target, is_file, "bind" + std::to_string(index));
    return {};
  }

  void attach_host(const BindRequest& source, const std::string& target, bool is_file,
                   const std::string& name) {
    const SourceIdMap id_map = facts_.binds_of_client ? SourceIdMap::client : SourceIdMap::owner;
    if (source.mode == BindMode::copy_on_write) {
      attach_tree(source.host, id_map, kReadOnly | kSafe, "/" + name, false);
      overlay(name, name, kWorkloadId, target, kSafe);
      return;
    }
    const std::uint64_t attributes = source.mode == BindMode::read_write ? kSafe : kSafe | kReadOnly;
    attach_tree(source.host, id_map, attributes, target, is_file);
  }

  // Targets in file systems of ours are made; those in the image go into the layer above it, and those in the
  // host's /usr into the layer above that.
  void make_target(const std::string& target, bool is_file) {
    struct Place {
      std::string_view inside;
      std::uint32_t source;
      std::string_view directory;
      std::uint32_t owner;
    };
    std::vector<Place> places{{"tmp", scratch_, "tmp", kWorkloadId},
                              {"var/tmp", scratch_, "var_tmp", kWorkloadId},
                              {"home/sandbox", scratch_, "home", kWorkloadId}};
    if (facts_.workspace_dir.empty()) places.push_back({"workspace", disk_, "workspace", kWorkloadId});
    if (!facts_.host_usr.empty()) places.push_back({"usr", disk_, "usr", 0});
    std::vector<std::string> names;
    const std::size_t copies = facts_.writable.size();
    for (std::size_t i = 0; i < copies; ++i) names.push_back(writable_name(i) + "/upper");
    for (std::size_t i = 0; i < copies; ++i)
      places.push_back({std::string_view(facts_.writable[i]).substr(1), disk_, names[i], kWorkloadId});
    Place place{"", disk_, "root/upper", 0};
    for (const Place& candidate : places) {
      if (is_below(target, candidate.inside)) place = candidate;
    }
    if (target == place.inside || (place.inside.empty() && is_own_place("/" + target))) return;
    const std::string rest = place.inside.empty() ? target : target.substr(place.inside.size() + 1);
    const std::vector<std::string> parts = with_parents(std::string(place.directory) + "/", rest);
    for (const std::string& part : parts) {
      const bool last = &part == &parts.back();
      add_directory(plan_.sources[place.source], part, 0755, place.owner, last && is_file);
    }
  }

  const RunRequest& request_;
  const Policy& policy_;
  const PlanFacts& facts_;
  SandboxPlan& plan_;
  std::uint32_t scratch_ = 0;
  std::uint32_t disk_ = 0;
};

}  // namespace

bool is_own_place(std::string_view inside) {
  constexpr std::array<std::string_view, 4> kOurs{"/tmp", "/var/tmp", "/home/sandbox", "/workspace"};
  return std::ranges::any_of(kOurs, [&](std::string_view ours) { return is_below(inside, ours); });
}

Result<void> plan_mounts(const RunRequest& request, const Policy& policy, const PlanFacts& facts,
                         SandboxPlan& plan) {
  return MountPlanner(request, policy, facts, plan).make();
}

}  // namespace sbx
