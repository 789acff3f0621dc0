// Out of the groups that limit, or into those of others.
#include <dirent.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include <csignal>
#include <initializer_list>

#include "attempts.h"

namespace sbx::attack {
namespace {

// What to call a mounted hierarchy on pure cgroup v2, and beside v1.
constexpr const char* kUnified[] = {"/sys/fs/cgroup/unified/", "/sys/fs/cgroup/"};
constexpr const char* kOlder[] = {"/sys/fs/cgroup/memory/", "/sys/fs/cgroup/pids/", "/sys/fs/cgroup/cpu/"};

long open_first(std::span<const char* const> directories, const char* file) {
  int fd = -1;
  for (const char* directory : directories) {
    fd = open((std::string(directory) + file).c_str(), O_WRONLY);
    if (fd >= 0) break;
  }
  return fd;
}

long mount_hierarchy() { return mount("none", "/tmp", "cgroup2", 0, nullptr); }

long open_hierarchy() { return syscall(SYS_fsopen, "cgroup2", 0); }

// A group is given by its directory: the root's, where there is one, or some other directory.
long clone_into() {
  int group = open("/", O_RDONLY | O_DIRECTORY);
  for (const char* directory : kUnified) {
    const int fd = open(directory, O_RDONLY | O_DIRECTORY);
    struct statfs file_system {};
    if (fstatfs(fd, &file_system) == 0 && file_system.f_type == 0x63677270 /* CGROUP2_SUPER_MAGIC */)
      group = fd;
  }
  clone_args arguments{};
  arguments.flags = CLONE_INTO_CGROUP;
  arguments.exit_signal = SIGCHLD;
  arguments.cgroup = static_cast<std::uint64_t>(group);
  return ends(syscall(SYS_clone3, &arguments, sizeof arguments));
}

// Whether /proc/self/mountinfo has one of any version.
long find_mounted() {
  return only_if(content_of("/proc/self/mountinfo").find(" - cgroup") != std::string::npos);
}

// "0::/" and "5:memory:/" are roots, as seen from a namespace of one's own.
long see_path(const char* file) {
  const std::string groups = content_of(file);
  if (groups.empty()) return -1;
  std::size_t line = 0;
  while (line < groups.size()) {
    const std::size_t end = groups.find('\n', line);
    if (!groups.substr(line, end - line).ends_with(":/")) return 0;
    line = end + 1;
  }
  return only_if(false);
}

long list_directory(const char* path) {
  DIR* directory = opendir(path);
  if (directory == nullptr) return -1;
  const dirent* entry = nullptr;
  while ((entry = readdir(directory)) != nullptr) {
    if (entry->d_name[0] != '.') return 0;
  }
  return only_if(false);
}

constexpr const char* kNoSys = "/sys is empty";
constexpr const char* kMounts = "filter: mount; no capability";

constexpr Attack no_file(std::string_view name, std::string_view aim, long (*attempt)(),
                         std::string_view outside = "ok") {
  return {.name = name,
          .aim = aim,
          .control = kNoSys,
          .inside = "ENOENT",
          .outside = outside,
          .attempt = attempt};
}

// Pure cgroup v2 has no such files.
constexpr const char* kOnlyV1 = "ok|ENOENT";

constexpr Attack kAttacks[] = {
    refused("cgroups.mount", "mount the machine's groups", kMounts, mount_hierarchy),
    refused(
        "cgroups.mount_v1", "mount the groups of an older controller, for its release_agent", kMounts,
        [] { return long{mount("none", "/tmp", "cgroup", 0, "memory")}; },
        "not tried: it could take the controller from where it is"),
    refused(
        "cgroups.mount_named", "mount a hierarchy of its own", kMounts,
        [] { return long{mount("none", "/tmp", "cgroup", 0, "none,name=attack")}; },
        "not tried: it would be one of the machine's"),
    refused("cgroups.fsopen", "mount the machine's groups by the newer calls",
            "filter: fsopen; no capability", open_hierarchy),
    {.name = "cgroups.clone_into",
     .aim = "start a process in another group",
     .control = "filter: clone3 is not there; no directory of a group to be had",
     .inside = "ENOSYS",
     .unfiltered = "EBADF",
     .attempt = clone_into},
    no_file("cgroups.procs", "move itself to the root group",
            [] { return open_first(kUnified, "cgroup.procs"); }),
    no_file("cgroups.descendants", "change how many groups there may be",
            [] { return open_first(kUnified, "cgroup.max.descendants"); }),
    no_file("cgroups.subtree", "take controllers from all groups",
            [] { return open_first(kUnified, "cgroup.subtree_control"); }),
    no_file(
        "cgroups.procs_v1", "move itself out of the limit of an older controller",
        [] { return open_first(kOlder, "cgroup.procs"); }, kOnlyV1),
    no_file(
        "cgroups.release_agent", "have the host run a program when a group is empty",
        [] { return open_first(kOlder, "release_agent"); }, kOnlyV1),
    no_file(
        "cgroups.notify_on_release", "ask to be told when a group is empty",
        [] { return open_first(kOlder, "notify_on_release"); }, kOnlyV1),
    no_file(
        "cgroups.devices", "have all devices allowed",
        [] { return long{open("/sys/fs/cgroup/devices/devices.allow", O_WRONLY)}; }, kOnlyV1),
    no_file("cgroups.sys_kernel", "see what /sys tells of the kernel",
            [] { return list_directory("/sys/kernel"); }),
    no_file("cgroups.sys_devices", "see the machine's devices",
            [] { return list_directory("/sys/devices"); }),
    {.name = "cgroups.sys",
     .aim = "find anything in /sys",
     .control = kNoSys,
     .inside = "in vain",
     .attempt = [] { return list_directory("/sys"); }},
    {.name = "cgroups.find",
     .aim = "find groups that are mounted somewhere",
     .control = "mount namespace: none are",
     .inside = "in vain",
     .attempt = find_mounted},
    // Outside it says nothing where the tests run in the root group.
    {.name = "cgroups.path",
     .aim = "see where in the machine's groups it is",
     .control = "cgroup namespace",
     .inside = "in vain",
     .outside = "ok|in vain",
     .attempt = [] { return see_path("/proc/self/cgroup"); }},
    {.name = "cgroups.path_of_init",
     .aim = "see where init is",
     .control = "/proc hides processes of other users",
     .inside = "ENOENT",
     .outside = "ok|in vain",
     .attempt = [] { return see_path(("/proc/" + target("victim") + "/cgroup").c_str()); }},
};

}  // namespace

std::span<const Attack> cgroup_attacks() { return kAttacks; }

}  // namespace sbx::attack
