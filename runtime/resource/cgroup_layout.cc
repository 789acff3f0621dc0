#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/path.h"
#include "os/file.h"
#include "resource/cgroup.h"
#include "resource/host_needs.h"

namespace sbx {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// Where `path` of a hierarchy is found below a mount whose top is `root` of it (cgroup_namespaces(7): a path
// that starts with "/.." is out of sight).
std::string directory_of(std::string_view path, std::string_view root, std::string_view mount_point) {
  if (path.starts_with("/..")) return {};
  if (root != "/") {
    if (!is_below(path, root)) return {};
    path.remove_prefix(root.size());
  }
  std::string directory(mount_point);
  if (path != "/" && !path.empty()) directory += path;
  return directory;
}

struct HierarchyMount {
  bool v2 = false;
  std::string_view root;
  std::string_view mount_point;
  std::vector<std::string_view> options;
};

std::vector<HierarchyMount> hierarchy_mounts(std::string_view mountinfo) {
  std::vector<HierarchyMount> mounts;
  for (const std::string_view line : split(mountinfo, '\n')) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const auto left = split(line.substr(0, dash), ' ');
    const auto right = split(line.substr(dash + 3), ' ');
    if (left.size() < 5 || right.size() < 3 || (right[0] != "cgroup" && right[0] != "cgroup2")) continue;
    mounts.push_back({right[0] == "cgroup2", left[3], left[4], split(right[2], ',')});
  }
  return mounts;
}

bool lists_controller(const std::string& text, std::string_view name) {
  const auto words = split(std::string_view(text).substr(0, text.find('\n')), ' ');
  return std::ranges::find(words, name) != words.end();
}

bool serves_children(const std::string& directory) {
  const auto enabled = os::read_file(AT_FDCWD, directory + "/cgroup.subtree_control");
  return enabled && lists_controller(*enabled, "memory") && lists_controller(*enabled, "pids");
}

// A group above us may only be used when passing over this one escapes no limit of the caller.
bool has_limit(const std::string& directory) {
  for (const char* file : {"memory.max", "memory.high", "memory.swap.max", "pids.max", "cpu.max"}) {
    const auto value = os::read_file(AT_FDCWD, directory + "/" + file);
    if (value && !value->starts_with("max")) return true;
  }
  const auto cpus = os::read_file(AT_FDCWD, directory + "/cpuset.cpus");
  return cpus && cpus->size() > 1;
}

Result<void> enable_controllers(const std::string& directory) {
  const std::string available = TRY(os::read_file(AT_FDCWD, directory + "/cgroup.controllers"));
  for (const char* name : {"memory", "pids", "cpu", "io"}) {
    if (!lists_controller(available, name)) continue;  // make_cgroup says which control is missing
    TRY(os::write_existing(AT_FDCWD, directory + "/cgroup.subtree_control", "+" + std::string(name)));
  }
  return {};
}

// systemd marks what it gave away (systemd.resource-control(5), Delegate=).
bool is_delegated(const std::string& directory) {
  std::array<char, 2> value{};
  for (const char* name : {"trusted.delegate", "user.delegate"}) {
    if (getxattr(directory.c_str(), name, value.data(), value.size()) == 1 && value[0] == '1') return true;
  }
  return false;
}

Result<std::vector<std::string>> members_of(const std::string& directory) {
  const std::string text = TRY(os::read_file(AT_FDCWD, directory + "/cgroup.procs"));
  std::vector<std::string> members;
  for (const std::string_view line : split(text, '\n')) {
    if (!line.empty()) members.emplace_back(line);
  }
  return members;
}

// Whether a place for sandboxes is made ready, or only looked for.
enum class Touch : std::uint8_t { change, look };

// Whether nobody minds the processes of this group being moved to a leaf of it: only we and the sbxrun that
// started us are there, or the whole group was given to its processes. Who only looks was started by somebody
// else.
bool may_move_members(const std::string& directory, const std::vector<std::string>& members, Touch touch) {
  const std::string self = std::to_string(getpid());
  const std::string parent = touch == Touch::change ? std::to_string(getppid()) : self;
  return is_delegated(directory) ||
         std::ranges::all_of(members, [&](const std::string& pid) { return pid == self || pid == parent; });
}

// The no-internal-process rule: a group with children that have controllers holds no process itself.
Result<void> move_to_leaf(const std::string& directory, const std::vector<std::string>& members) {
  const std::string leaf = directory + "/sbx.supervisor";
  if (mkdir(leaf.c_str(), 0755) != 0 && errno != EEXIST) return fail(system_error("mkdir", leaf, errno));
  for (const std::string& pid : members) {
    const auto moved = os::write_existing(AT_FDCWD, leaf + "/cgroup.procs", pid);
    if (!moved && moved.error().error_number != ESRCH) return fail(moved.error());  // it has ended meanwhile
  }
  return {};
}

bool systemd_runs() { return access("/run/systemd/system", F_OK) == 0; }

Result<std::string> find_v2_parent(const std::string& own, const std::string& mount_point, Touch touch) {
  if (own != mount_point) {
    // A run beside us has made the leaf: it is where we are, and the group above it is the place.
    const std::string group = own.ends_with("/sbx.supervisor") ? own.substr(0, own.find_last_of('/')) : own;
    const std::vector<std::string> members = TRY(members_of(group));
    if (may_move_members(group, members, touch)) {
      if (touch == Touch::look) return group;
      TRY(move_to_leaf(group, members));
      TRY(enable_controllers(group));
      return group;
    }
  }
  // Under systemd every group belongs to systemd, unless it was delegated.
  if (!systemd_runs()) {
    std::string directory = own;
    while (true) {
      if (serves_children(directory)) return directory;
      if (directory == mount_point || has_limit(directory)) break;
      directory = directory.substr(0, directory.find_last_of('/'));
    }
  }
  Error error{"cgroup: no group of ours can hold sandboxes: '" + own +
                  "' has other processes in it, and no group " +
                  "above it gives its children the memory and pids controllers without escaping a limit. ",
              EBUSY};
  error.text += systemd_runs()
                    ? "Start it in a delegated scope: systemd-run --scope -p Delegate=yes -- sbxrun …"
                    : "Move the processes of this group to a leaf: mkdir '" + own +
                          "/init'; for p in $(cat '" + own + "/cgroup.procs'); do echo $p > '" + own +
                          "/init/cgroup.procs'; done; " + "echo '+memory +pids +cpu +io' > '" + own +
                          "/cgroup.subtree_control'";
  return fail(std::move(error));
}

}  // namespace

CgroupMembership parse_cgroup_membership(std::string_view proc_self_cgroup, std::string_view mountinfo) {
  const std::vector<HierarchyMount> mounts = hierarchy_mounts(mountinfo);
  CgroupMembership membership;
  for (const std::string_view line : split(proc_self_cgroup, '\n')) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) continue;
    CgroupMembership::Entry entry;
    entry.path = line.substr(second + 1);
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty()) {
      for (const std::string_view name : split(controllers, ',')) entry.controllers.emplace_back(name);
    }
    for (const HierarchyMount& mount : mounts) {
      const bool same = entry.controllers.empty()
                            ? mount.v2
                            : !mount.v2 && std::ranges::find(mount.options, entry.controllers.front()) !=
                                               mount.options.end();
      if (!same) continue;
      entry.directory = directory_of(entry.path, mount.root, mount.mount_point);
      if (!entry.directory.empty()) break;
    }
    membership.entries.push_back(std::move(entry));
  }
  return membership;
}

bool needs_systemd_scope() {
  const auto own = os::read_file(AT_FDCWD, "/proc/self/cgroup");
  const auto mountinfo = os::read_file(AT_FDCWD, "/proc/self/mountinfo");
  if (!systemd_runs() || !own || !mountinfo) return false;
  const CgroupMembership membership = parse_cgroup_membership(*own, *mountinfo);
  if (membership.entries.size() != 1 || !membership.entries.front().controllers.empty())
    return false;  // not pure v2
  const std::string& directory = membership.entries.front().directory;
  return !directory.empty() && !is_delegated(directory) && !directory.ends_with("/sbx.supervisor");
}

namespace {

Result<CgroupLayout> locate(const std::string& parent, Touch touch) {
  const std::string mountinfo = TRY(os::read_file(AT_FDCWD, "/proc/self/mountinfo"));
  const std::string own = TRY(os::read_file(AT_FDCWD, "/proc/self/cgroup"));
  const CgroupMembership membership = parse_cgroup_membership(own, mountinfo);
  CgroupLayout layout;
  for (const CgroupMembership::Entry& entry : membership.entries) {
    if (entry.directory.empty()) continue;
    if (entry.controllers.empty()) layout.unified = entry.directory;
    for (const std::string& name : entry.controllers) {
      if (name != "memory" && name != "pids" && name != "cpu" && name != "cpuacct") continue;
      layout.controllers.emplace_back(name, entry.directory);
    }
  }
  if (!layout.controllers.empty()) {
    layout.kind = CgroupLayout::Kind::v1;
    return layout;
  }
  if (layout.unified.empty())
    return fail("cgroup: no cgroup file system is mounted; mount one at /sys/fs/cgroup");
  layout.kind = CgroupLayout::Kind::v2;
  if (!parent.empty()) {
    layout.unified = parent;
    if (touch == Touch::look) return layout;
    TRY_DOING("cgroup_parent '" + parent + "'", os::make_directories(parent, 0755));
    TRY(enable_controllers(parent));
    return layout;
  }
  std::string mount_point;
  for (const HierarchyMount& mount : hierarchy_mounts(mountinfo)) {
    if (mount.v2) mount_point = mount.mount_point;
  }
  layout.unified = TRY(find_v2_parent(layout.unified, mount_point, touch));
  return layout;
}

}  // namespace

Result<CgroupLayout> find_cgroup_layout(const std::string& parent) {
  Result<CgroupLayout> found = locate(parent, Touch::change);
  if (found || found.error().error_number != EROFS) return found;
  return fail(with_need(std::move(found).error(), HostNeed::cgroup_write));
}

Result<CgroupLayout> look_up_cgroup_layout(const std::string& parent) { return locate(parent, Touch::look); }

}  // namespace sbx
