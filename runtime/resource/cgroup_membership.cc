// Our place in each hierarchy, from the text of /proc/self/cgroup and /proc/self/mountinfo.
#include <algorithm>
#include <filesystem>

#include "base/path.h"
#include "base/split.h"
#include "resource/cgroup.h"

namespace sbx {
namespace {

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

constexpr std::string_view kUsualPlace = "/sys/fs/cgroup";

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
      entry.mount_point = mount.mount_point;
      entry.directory = directory_of(entry.path, mount.root, mount.mount_point);
      if (!entry.directory.empty()) break;
    }
    membership.entries.push_back(std::move(entry));
  }
  return membership;
}

Result<std::string> path_in_hierarchies(const CgroupMembership& membership, const std::string& parent) {
  std::string path = std::filesystem::path(parent).lexically_normal();
  if (path.ends_with('/')) path.pop_back();
  // On a hybrid host no hierarchy is mounted at the usual place itself: all of them are below.
  std::string_view top = is_below(path, kUsualPlace) ? kUsualPlace : "";
  std::string mounts;
  for (const CgroupMembership::Entry& entry : membership.entries) {
    if (entry.mount_point.empty()) continue;
    if (is_below(path, entry.mount_point) && entry.mount_point.size() > top.size()) top = entry.mount_point;
    mounts += (mounts.empty() ? "'" : ", '") + entry.mount_point + "'";
  }
  if (!top.empty()) return path.substr(top.size());
  return fail("cgroup_parent '" + parent + "' is in no mounted cgroup hierarchy: name a group below " +
              mounts);
}

}  // namespace sbx
