#include <doctest/doctest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "resource/cgroup.h"

namespace sbx {
namespace {

using Entry = CgroupMembership::Entry;

// The entry of a controller; "": the v2 hierarchy.
Entry entry_of(const CgroupMembership& membership, const std::string& controller) {
  for (const Entry& entry : membership.entries) {
    const bool same = controller.empty()
                          ? entry.controllers.empty()
                          : std::ranges::find(entry.controllers, controller) != entry.controllers.end();
    if (same) return entry;
  }
  FAIL("no entry of '" << controller << "'");
  return {};
}

std::string directory_of(const CgroupMembership& membership, const std::string& controller) {
  return entry_of(membership, controller).directory;
}

constexpr const char* kMountsV2 =
    "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
    "29 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 "
    "rw,nsdelegate,memory_recursiveprot\n";

// As systemd mounts them on a hybrid host: cpu and cpuacct in one hierarchy, with links beside it.
constexpr const char* kMountsHybrid =
    "31 23 0:27 / /sys/fs/cgroup ro,nosuid,nodev,noexec shared:9 - tmpfs tmpfs ro,mode=755\n"
    "32 31 0:28 / /sys/fs/cgroup/unified rw,nosuid shared:10 - cgroup2 cgroup2 rw,nsdelegate\n"
    "33 31 0:29 / /sys/fs/cgroup/systemd rw,nosuid shared:11 - cgroup cgroup rw,xattr,name=systemd\n"
    "35 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:13 - cgroup cgroup rw,cpu,cpuacct\n"
    "36 31 0:32 / /sys/fs/cgroup/memory rw,nosuid shared:14 - cgroup cgroup rw,memory\n"
    "37 31 0:33 / /sys/fs/cgroup/pids rw,nosuid shared:15 - cgroup cgroup rw,pids\n";

}  // namespace

TEST_CASE("on a v2 host there is one group, below the mount point") {
  const CgroupMembership membership =
      parse_cgroup_membership("0::/user.slice/user-0.slice/session-1.scope\n", kMountsV2);
  REQUIRE(membership.entries.size() == 1);
  CHECK(membership.entries[0].controllers.empty());
  CHECK(membership.entries[0].path == "/user.slice/user-0.slice/session-1.scope");
  CHECK(membership.entries[0].directory == "/sys/fs/cgroup/user.slice/user-0.slice/session-1.scope");
}

TEST_CASE("the root group is the mount point itself") {
  CHECK(directory_of(parse_cgroup_membership("0::/\n", kMountsV2), "") == "/sys/fs/cgroup");
}

TEST_CASE("on a hybrid host each controller has its own group") {
  const CgroupMembership membership = parse_cgroup_membership(
      "12:pids:/user.slice\n5:memory:/user.slice/a\n3:cpu,cpuacct:/\n1:name=systemd:/init.scope\n0::/"
      "init.scope\n",
      kMountsHybrid);
  CHECK(membership.entries.size() == 5);
  CHECK(directory_of(membership, "pids") == "/sys/fs/cgroup/pids/user.slice");
  CHECK(directory_of(membership, "memory") == "/sys/fs/cgroup/memory/user.slice/a");
  CHECK(directory_of(membership, "name=systemd") == "/sys/fs/cgroup/systemd/init.scope");
  CHECK(directory_of(membership, "") == "/sys/fs/cgroup/unified/init.scope");
}

TEST_CASE("controllers mounted together share a group") {
  const CgroupMembership membership = parse_cgroup_membership("3:cpu,cpuacct:/a\n", kMountsHybrid);
  CHECK(directory_of(membership, "cpu") == "/sys/fs/cgroup/cpu,cpuacct/a");
  CHECK(directory_of(membership, "cpuacct") == "/sys/fs/cgroup/cpu,cpuacct/a");
}

TEST_CASE("a controller that is mounted nowhere has no directory") {
  const CgroupMembership membership = parse_cgroup_membership("7:devices:/a\n0::/b\n", kMountsHybrid);
  CHECK(directory_of(membership, "devices").empty());
  CHECK(entry_of(membership, "devices").path == "/a");
  CHECK(!directory_of(membership, "").empty());
}

TEST_CASE("a v1 hierarchy without v2 has no unified group") {
  const CgroupMembership membership = parse_cgroup_membership(
      "2:memory:/\n", "36 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
  CHECK(membership.entries.size() == 1);
  CHECK(directory_of(membership, "memory") == "/sys/fs/cgroup/memory");
}

TEST_CASE("a controller whose name begins as another's is not taken for it") {
  const CgroupMembership membership =
      parse_cgroup_membership("3:cpu:/a\n",
                              "35 31 0:31 / /cg/cpuset rw - cgroup cgroup rw,cpuset\n36 31 0:32 / /cg/cpu rw "
                              "- cgroup cgroup rw,cpu\n");
  CHECK(directory_of(membership, "cpu") == "/cg/cpu/a");
}

TEST_CASE("in a container with the host's paths the mount's root is taken off") {
  // Docker without a cgroup namespace: the mount shows only the container's own group.
  const CgroupMembership membership = parse_cgroup_membership(
      "5:memory:/docker/0123abcd\n4:pids:/docker/0123abcd/init\n",
      "90 89 0:32 /docker/0123abcd /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
      "91 89 0:33 /docker/0123abcd /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids\n");
  CHECK(directory_of(membership, "memory") == "/sys/fs/cgroup/memory");
  CHECK(directory_of(membership, "pids") == "/sys/fs/cgroup/pids/init");
}

TEST_CASE("a group outside of what is mounted is out of sight") {
  const char* mounts = "90 89 0:32 /docker/0123 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
  CHECK(directory_of(parse_cgroup_membership("5:memory:/other\n", mounts), "memory").empty());
  // Its name only begins like the mount's root.
  CHECK(directory_of(parse_cgroup_membership("5:memory:/docker/01234/x\n", mounts), "memory").empty());
}

TEST_CASE("in a cgroup namespace a path above its root is out of sight") {
  CHECK(directory_of(parse_cgroup_membership("0::/..\n", kMountsV2), "").empty());
  CHECK(directory_of(parse_cgroup_membership("0::/../../system.slice\n", kMountsV2), "").empty());
  CHECK(directory_of(parse_cgroup_membership("0::/\n", kMountsV2), "") == "/sys/fs/cgroup");
}

TEST_CASE("of several mounts of a hierarchy the one that shows our group is taken") {
  const CgroupMembership membership =
      parse_cgroup_membership("5:memory:/docker/a\n",
                              "80 70 0:32 /docker/b /mnt/b rw - cgroup cgroup rw,memory\n"
                              "90 89 0:32 /docker/a /mnt/a rw - cgroup cgroup rw,memory\n");
  CHECK(directory_of(membership, "memory") == "/mnt/a");
}

TEST_CASE("lines that are none are passed over") {
  CHECK(parse_cgroup_membership("", "").entries.empty());
  CHECK(parse_cgroup_membership("\n\nnonsense\n5:memory\n", "short\n - \n1 2 3 - cgroup\n").entries.empty());
  const CgroupMembership membership = parse_cgroup_membership("0::/a:b\n", kMountsV2);
  REQUIRE(membership.entries.size() == 1);
  CHECK(membership.entries[0].directory == "/sys/fs/cgroup/a:b");  // a path may hold a colon
}

TEST_CASE("a configured group is the same path below every hierarchy") {
  const CgroupMembership hybrid =
      parse_cgroup_membership("12:pids:/a\n5:memory:/a\n3:cpu,cpuacct:/\n0::/\n", kMountsHybrid);
  for (const std::string parent :
       {"/sys/fs/cgroup/memory/sandboxes/ours", "/sys/fs/cgroup/unified/sandboxes/ours/",
        "/sys/fs/cgroup/cpu,cpuacct/sandboxes/./ours", "/sys/fs/cgroup/sandboxes/ours"}) {
    CAPTURE(parent);
    CHECK(path_in_hierarchies(hybrid, parent).value_or("") == "/sandboxes/ours");
  }
  CHECK(path_in_hierarchies(hybrid, "/sys/fs/cgroup/memorys").value_or("") == "/memorys");
  const CgroupMembership v2 = parse_cgroup_membership("0::/a\n", kMountsV2);
  CHECK(path_in_hierarchies(v2, "/sys/fs/cgroup/sandboxes").value_or("") == "/sandboxes");
  CHECK(path_in_hierarchies(v2, "/sys/fs/cgroup/").value_or("none") == "");
  for (const std::string parent : {"/", "/tmp/x", "/sys/fs/cgroups/x", "/sys/fs/cgroup/../x"}) {
    CAPTURE(parent);
    const auto refused = path_in_hierarchies(v2, parent);
    REQUIRE(!refused);
    CHECK(refused.error().text.find("cgroup_parent '" + parent + "'") != std::string::npos);
    CHECK(refused.error().text.find("below '/sys/fs/cgroup'") != std::string::npos);
  }
}

TEST_CASE("a counter that no controller keeps is zero, and one that cannot be read is not known") {
  std::string place = std::filesystem::temp_directory_path() / "sbx-counters-XXXXXX";
  REQUIRE(mkdtemp(place.data()) != nullptr);
  {
    const auto group = CgroupDirectory::create(place + "/group");
    REQUIRE(group);
    std::ofstream(place + "/group/pids.events") << "max 3\n";
    std::ofstream(place + "/group/cpu.stat") << "usage_usec 5\n";  // of v2 without its cpu controller
    std::filesystem::create_directory(place + "/group/memory.events");
    std::uint64_t hits = 0;
    std::uint64_t throttled = 0;
    std::uint64_t kills = 0;
    bool known = true;
    group->count("pids.events", "max", hits, known);
    group->count("cpu.stat", "nr_throttled", throttled, known);
    group->count("not.there", "max", kills, known);
    CHECK(known);
    group->count("memory.events", "oom_kill", kills, known);
    CHECK_FALSE(known);
    CHECK(hits == 3);
    CHECK(throttled == 0);
    CHECK(kills == 0);
  }
  std::filesystem::remove_all(place);
}

TEST_CASE("a place for sandboxes is found without touching anything") {
  // On the host of the test, whatever it has: both ways to look agree with each other.
  const Result<CgroupLayout> first = look_up_cgroup_layout("");
  const Result<CgroupLayout> second = look_up_cgroup_layout("");
  REQUIRE(first.has_value() == second.has_value());
  if (!first) {
    CHECK(first.error().text.find("cgroup") != std::string::npos);
    return;
  }
  CHECK(first->unified == second->unified);
  CHECK(first->controllers == second->controllers);
}

}  // namespace sbx
