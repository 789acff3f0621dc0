#include <algorithm>

#include "resource/host_check_list.h"

namespace sbx {
namespace {

// False: there is no place for sandboxes.
bool check_layout(CheckList& list, const CgroupFacts& cgroup) {
  if (cgroup.through_systemd && cgroup.systemd_run) {
    list.add("layout", CheckState::ok, "v2; a direct run gets a scope of its own from systemd");
    return true;
  }
  if (!cgroup.layout) {
    // What is wrong, and after it the way out.
    const std::size_t end = std::min(cgroup.error.find(". "), cgroup.error.find("; "));
    HostCheck& check = list.add("layout", CheckState::missing, "no place for sandboxes");
    check.effect = cgroup.error.substr(0, end);
    check.fix = end == std::string::npos ? "" : cgroup.error.substr(end + 2);
    return false;
  }
  if (cgroup.layout->kind == CgroupLayout::Kind::v2) {
    list.add("layout", CheckState::ok, "v2 at " + cgroup.layout->unified);
    return true;
  }
  HostCheck& check =
      list.add("layout", CheckState::degraded,
               cgroup.layout->unified.empty() ? "v1" : "hybrid: v1 controllers, v2 for the kill");
  check.effect =
      "out of memory kills one process first and then the rest of the sandbox; the result says oom_group: "
      "emulated";
  check.fix = "boot with systemd.unified_cgroup_hierarchy=1";
  return true;
}

void check_controllers_v1(CheckList& list, const CgroupLayout& layout) {
  struct Pair {
    const char* controller;
    const char* control;
  };
  for (const Pair& pair : {Pair{"memory", "memory"}, Pair{"pids", "pids"}, Pair{"cpu", "cpu"},
                           Pair{"cpuacct", "cpu_accounting"}}) {
    const std::string directory = layout.controller(pair.controller);
    if (!directory.empty()) {
      list.add(pair.control, CheckState::ok, "v1 at " + directory);
    } else {
      list.add_missing_control(pair.control,
                               "this host has no '" + std::string(pair.controller) + "' cgroup controller");
    }
  }
}

void check_controllers_v2(CheckList& list, const CgroupFacts& cgroup) {
  const std::string place = cgroup.layout ? cgroup.layout->unified : "/sys/fs/cgroup";
  for (const std::string control : {"memory", "pids", "cpu"}) {
    if (contains(cgroup.controllers, control)) {
      list.add(control, CheckState::ok, "v2");
    } else {
      list.add_missing_control(
          control, "the cgroup v2 controller '" + control + "' is not enabled below '" + place + "'");
    }
  }
}

void check_swap(CheckList& list, const CgroupFacts& cgroup, bool v1) {
  if (cgroup.swap_accounted) {
    list.add("swap", CheckState::ok, "counted; a sandbox gets none");
  } else if (!cgroup.swap_on) {
    list.add("swap", CheckState::ok, "not counted, and off");
  } else {
    list.add_missing_control("swap",
                             v1 ? "the kernel does not account swap (boot with swapaccount=1) and swap is on"
                                : "the kernel does not account swap");
  }
}

// v1 with a memory controller.
void check_socket_memory(CheckList& list, const CgroupFacts& cgroup) {
  if (cgroup.socket_memory_counted) {
    list.add("socket_memory", CheckState::ok, "counted beside the other memory");
  } else {
    list.add_missing_control("socket_memory",
                             "this kernel does not count the buffers of sockets on cgroup v1");
  }
}

}  // namespace

void check_cgroups(CheckList& list) {
  list.begin("cgroups");
  const CgroupFacts& cgroup = list.facts().cgroup;
  if (!check_layout(list, cgroup)) return;
  if (!cgroup.read_only.empty()) {
    list.add("cgroup_write", CheckState::missing, "mounted read-only: " + join(cgroup.read_only),
             HostNeed::cgroup_write);
  }
  const bool v1 = !cgroup.through_systemd && cgroup.layout->kind == CgroupLayout::Kind::v1;
  if (v1) {
    check_controllers_v1(list, *cgroup.layout);
  } else {
    check_controllers_v2(list, cgroup);
  }
  check_swap(list, cgroup, v1);
  if (v1 && !cgroup.layout->controller("memory").empty()) check_socket_memory(list, cgroup);
  if (cgroup.kill_file) {
    list.add("cgroup.kill", CheckState::ok, "kills a sandbox as a whole");
  } else {
    HostCheck& check = list.add("cgroup.kill", CheckState::degraded, "not there");
    check.effect = "sandboxes are killed by the death of their init";
    check.fix = "mount cgroup v2 beside v1 (at /sys/fs/cgroup/unified), on a kernel of 5.14 or later";
  }
}

}  // namespace sbx
