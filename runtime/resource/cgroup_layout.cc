#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/path.h"
#include "base/split.h"
#include "os/file.h"
#include "resource/cgroup.h"
#include "resource/host_needs.h"

namespace sbx {
namespace {

bool lists_controller(const std::string& text, std::string_view name) {
  const auto words = split(std::string_view(text).substr(0, text.find('\n')), ' ');
  return std::ranges::find(words, name) != words.end();
}

bool serves_children(const std::string& directory) {
  const auto enabled = os::read_file(AT_FDCWD, directory + "/cgroup.subtree_control");
  return enabled && lists_controller(*enabled, "memory") && lists_controller(*enabled, "pids");
}

// "100\n" → "100"; "max" when there is no such file.
std::string read_limit(const std::string& directory, const char* file) {
  const auto value = os::read_file(AT_FDCWD, directory + "/" + file);
  return value ? value->substr(0, value->find('\n')) : "max";
}

bool limits_memory_or_cpu(const std::string& directory) {
  for (const char* file : {"memory.max", "memory.high", "memory.swap.max", "cpu.max"}) {
    if (!read_limit(directory, file).starts_with("max")) return true;
  }
  const auto cpus = os::read_file(AT_FDCWD, directory + "/cpuset.cpus");
  return cpus && cpus->size() > 1;
}

// A group above us may only be used when passing over this one escapes no limit of the caller.
bool has_limit(const std::string& directory) {
  return limits_memory_or_cpu(directory) || read_limit(directory, "pids.max") != "max";
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

bool systemd_runs() { return access("/run/systemd/system", F_OK) == 0; }

// Whether a place for sandboxes is made ready, or only looked for.
enum class Touch : std::uint8_t { change, look };

// Whether nobody minds the processes of this group being moved to a leaf of it: only we and the sbxrun that
// started us are there, or the whole group was given to its processes. Under systemd all others are
// systemd's. Who only looks was started by somebody else.
bool may_move_members(const std::string& directory, const std::vector<std::string>& members, Touch touch) {
  const std::string self = std::to_string(getpid());
  const std::string parent = touch == Touch::change ? std::to_string(getppid()) : self;
  if (is_delegated(directory)) return true;
  return !systemd_runs() &&
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
  if (systemd_runs()) {
    return fail(Error{"cgroup: '" + own +
                          "' belongs to systemd, and a scope beside it could not be had or would escape its "
                          "limits. Set Delegate=yes for this unit, or start sbxrun in one that has it: "
                          "systemd-run --scope -p Delegate=yes -- sbxrun …",
                      EBUSY});
  }
  std::string directory = own;
  while (true) {
    if (serves_children(directory)) return directory;
    if (directory == mount_point || has_limit(directory)) break;
    directory = directory.substr(0, directory.find_last_of('/'));
  }
  return fail(Error{
      "cgroup: no group of ours can hold sandboxes: '" + own +
          "' has other processes in it, and no group above it gives its children the memory and "
          "pids controllers without escaping a limit. Move the processes of this group to a leaf: "
          "mkdir '" +
          own + "/init'; for p in $(cat '" + own + "/cgroup.procs'); do echo $p > '" + own +
          "/init/cgroup.procs'; done; echo '+memory +pids +cpu +io' > '" + own + "/cgroup.subtree_control'",
      EBUSY});
}

}  // namespace

std::optional<SystemdScope> needed_systemd_scope() {
  if (!systemd_runs()) return std::nullopt;
  const auto own = os::read_file(AT_FDCWD, "/proc/self/cgroup");
  const auto mountinfo = os::read_file(AT_FDCWD, "/proc/self/mountinfo");
  if (!own || !mountinfo) return std::nullopt;
  const CgroupMembership membership = parse_cgroup_membership(*own, *mountinfo);
  if (membership.entries.size() != 1 || !membership.entries.front().controllers.empty())
    return std::nullopt;  // not pure v2
  std::string directory = membership.entries.front().directory;
  if (directory.empty() || is_delegated(directory) || directory.ends_with("/sbx.supervisor"))
    return std::nullopt;
  SystemdScope scope{read_limit(directory, "pids.max")};
  // The scope is made in the slice that we are in: what limits us below the slice would not hold for it.
  while (is_below(directory, membership.entries.front().mount_point) && !directory.ends_with(".slice")) {
    if (limits_memory_or_cpu(directory)) return std::nullopt;
    directory = directory.substr(0, directory.find_last_of('/'));
  }
  return scope;
}

namespace {

// Our own group in each hierarchy that we need, or the one that `parent` names in all of them.
Result<CgroupLayout> layout_of(const CgroupMembership& membership, const std::string& parent) {
  const std::string below = parent.empty() ? "" : TRY(path_in_hierarchies(membership, parent));
  CgroupLayout layout;
  for (const CgroupMembership::Entry& entry : membership.entries) {
    const std::string place =
        parent.empty() || entry.mount_point.empty() ? entry.directory : entry.mount_point + below;
    if (place.empty()) continue;
    if (entry.controllers.empty()) layout.unified = place;
    for (const std::string& name : entry.controllers) {
      if (name != "memory" && name != "pids" && name != "cpu" && name != "cpuacct") continue;
      layout.controllers.emplace_back(name, place);
    }
  }
  layout.kind = layout.controllers.empty() ? CgroupLayout::Kind::v2 : CgroupLayout::Kind::v1;
  return layout;
}

Result<void> make_parents(const CgroupLayout& layout, const std::string& parent) {
  const std::string doing = "cgroup_parent '" + parent + "'";
  if (!layout.unified.empty()) TRY_DOING(doing, os::make_directories(layout.unified, 0755));
  for (const auto& [controller, place] : layout.controllers)
    TRY_DOING(doing, os::make_directories(place, 0755));
  return {};
}

Result<CgroupLayout> locate(const std::string& parent, Touch touch) {
  const std::string mountinfo = TRY(os::read_file(AT_FDCWD, "/proc/self/mountinfo"));
  const std::string own = TRY(os::read_file(AT_FDCWD, "/proc/self/cgroup"));
  const CgroupMembership membership = parse_cgroup_membership(own, mountinfo);
  CgroupLayout layout = TRY(layout_of(membership, parent));
  if (layout.kind == CgroupLayout::Kind::v1) {
    if (!parent.empty() && touch == Touch::change) TRY(make_parents(layout, parent));
    return layout;
  }
  if (layout.unified.empty())
    return fail("cgroup: no cgroup file system is mounted; mount one at /sys/fs/cgroup");
  if (!parent.empty()) {
    if (touch == Touch::look) return layout;
    TRY(make_parents(layout, parent));
    TRY_DOING("cgroup_parent '" + parent + "'", enable_controllers(layout.unified));
    return layout;
  }
  std::string mount_point;
  for (const CgroupMembership::Entry& entry : membership.entries) {
    if (entry.controllers.empty()) mount_point = entry.mount_point;
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
