#include "resource/host_facts.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "os/file.h"
#include "os/run_tool.h"
#include "resource/host_checks.h"
#include "resource/host_probes.h"
#include "resource/host_rights.h"
#include "resource/project_quota.h"

namespace sbx {
namespace {

std::optional<std::string> read_line(const std::string& path) {
  auto text = os::read_file(AT_FDCWD, path, 1U << 20U);
  if (!text) return {};
  return text->substr(0, text->find('\n'));
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> list;
  for (std::string word; stream >> word;) list.push_back(word);
  return list;
}

std::optional<std::uint64_t> parse_number(std::string_view text, int base = 10) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [after, error] = std::from_chars(text.data(), end, value, base);
  if (error != std::errc{} || after != end) return {};
  return value;
}

// The directory itself, or the nearest one above it that exists: what is made below will be of its file
// system.
std::string nearest_directory(std::string path) {
  struct stat status {};
  while (path.size() > 1 && (stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))) {
    path = path.substr(0, std::max<std::size_t>(path.find_last_of('/'), 1));
  }
  return path;
}

bool is_read_only(const std::string& directory) {
  struct statvfs status {};
  return statvfs(nearest_directory(directory).c_str(), &status) == 0 && (status.f_flag & ST_RDONLY) != 0;
}

bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

// Controllers that groups at our place have or get: what systemd can give a scope, what we may enable below
// our own group, or what an ancestor has enabled already.
std::vector<std::string> controllers_below(const CgroupFacts& cgroup, const std::string& place,
                                           bool configured) {
  std::string own;
  const auto text = os::read_file(AT_FDCWD, "/proc/self/cgroup");
  const auto mounts = os::read_file(AT_FDCWD, "/proc/self/mountinfo");
  if (text && mounts) {
    for (const auto& entry : parse_cgroup_membership(*text, *mounts).entries) {
      if (entry.controllers.empty()) own = entry.directory;
    }
  }
  // The root of the hierarchy has no cgroup.type; nobody moves what is in it.
  const bool ours = exists(place + "/cgroup.type") && (own == place || own == place + "/sbx.supervisor");
  const bool enables = configured || cgroup.through_systemd || ours;
  const auto line = read_line(place + (enables ? "/cgroup.controllers" : "/cgroup.subtree_control"));
  return line ? words(*line) : std::vector<std::string>{};
}

// A group of the hierarchy that is not its root, which lacks most files: the place itself or one below it.
std::optional<std::string> some_group(const std::string& place) {
  if (exists(place + "/cgroup.type")) return place;
  const auto names = os::list_directory(AT_FDCWD, place);
  if (!names) return {};
  for (const std::string& name : *names) {
    if (exists(place + "/" + name + "/cgroup.type")) return place + "/" + name;
  }
  return {};
}

// Without any group to look at, the kernel's version tells what is usual.
void look_at_group(const std::string& place, unsigned kernel, CgroupFacts& facts) {
  const std::optional<std::string> group = some_group(place);
  facts.kill_file = group ? exists(*group + "/cgroup.kill") : kernel >= 5014;
  facts.swap_accounted = !group || exists(*group + "/memory.swap.max") || !exists(*group + "/memory.max");
}

CgroupFacts cgroup_facts(const std::string& parent, unsigned kernel) {
  CgroupFacts facts;
  facts.through_systemd = parent.empty() && needed_systemd_scope().has_value();
  facts.systemd_run = exists("/usr/bin/systemd-run");
  Result<CgroupLayout> layout = look_up_cgroup_layout(parent);
  if (layout) {
    facts.layout = std::move(*layout);
  } else {
    facts.error = layout.error().text;
  }
  const auto swaps = os::read_file(AT_FDCWD, "/proc/swaps");
  facts.swap_on = swaps && swaps->find('\n') + 1 < swaps->size();  // more than the heading
  std::string unified = facts.layout ? facts.layout->unified : "";
  if (facts.through_systemd) unified = "/sys/fs/cgroup";
  if (!unified.empty()) {
    look_at_group(unified, kernel, facts);
    facts.controllers = controllers_below(facts, unified, !parent.empty());
  }
  if (facts.layout && facts.layout->kind == CgroupLayout::Kind::v1) {
    const std::string memory = nearest_directory(facts.layout->controller("memory"));
    facts.swap_accounted = exists(memory + "/memory.memsw.limit_in_bytes");
    facts.socket_memory_counted = exists(memory + "/memory.kmem.tcp.limit_in_bytes");
  }
  if (facts.layout && !facts.through_systemd) {
    for (const std::string& directory : cgroup_directories(*facts.layout, "sbx")) {
      const std::string place = directory.substr(0, directory.find_last_of('/'));
      if (is_read_only(place)) facts.read_only.push_back(place);
    }
  }
  return facts;
}

// A write measures anew for the descriptor that it came through, and for nobody else.
Attempt try_memory_peak_reset(const CgroupFacts& cgroup) {
  if (!cgroup.layout || cgroup.layout->kind != CgroupLayout::Kind::v2) return {};
  const std::optional<std::string> group = some_group(cgroup.layout->unified);
  if (!group || !exists(*group + "/memory.peak")) return {};
  const Result<void> written = os::write_existing(AT_FDCWD, *group + "/memory.peak", "reset");
  return {true, written ? 0 : written.error().error_number, "write"};
}

StateFacts state_facts(const std::string& path) {
  StateFacts facts;
  facts.path = path;
  facts.probed = nearest_directory(path);
  struct statvfs status {};
  if (statvfs(facts.probed.c_str(), &status) != 0) return facts;
  facts.free_bytes = status.f_bavail * status.f_frsize;
  if (status.f_files > 0) facts.free_inodes = status.f_favail;
  facts.read_only = (status.f_flag & ST_RDONLY) != 0;
  facts.no_exec = (status.f_flag & ST_NOEXEC) != 0;
  const auto directory = os::open_at(AT_FDCWD, facts.probed, O_RDONLY | O_DIRECTORY);
  facts.project_quota = directory && counts_by_project(directory->get());
  facts.mke2fs = os::find_tool("mke2fs").has_value();
  if (geteuid() != 0) return facts;
  const auto control = os::open_at(AT_FDCWD, "/dev/loop-control", O_RDWR);
  facts.loop_devices = {true, control ? 0 : control.error().error_number, "open /dev/loop-control"};
  return facts;
}

bool in_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::istringstream directories(path != nullptr ? path : "/usr/sbin:/usr/bin:/sbin:/bin");
  for (std::string directory; std::getline(directories, directory, ':');) {
    if (access((directory + "/" + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

constexpr std::array<const char*, 7> kNamespaceLimits{"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"};
constexpr std::array<const char*, 3> kPrograms{"sbx-direct", "sbx-spawner", "sbx-init"};
constexpr std::array<const char*, 4> kTools{"buildah", "podman", "docker", "qemu-system-x86_64"};
constexpr std::array<const char*, 14> kSettings{
    "kernel/kptr_restrict",       "kernel/dmesg_restrict",  "kernel/unprivileged_bpf_disabled",
    "kernel/perf_event_paranoid", "dev/tty/legacy_tiocsti", "fs/protected_symlinks",
    "fs/protected_hardlinks",     "fs/protected_fifos",     "fs/protected_regular",
    "kernel/yama/ptrace_scope",   "kernel/core_pattern",    "kernel/modprobe",
    "net/ipv4/tcp_mem",           "net/ipv4/udp_mem"};

}  // namespace

HostFacts gather_host_facts(const HostFactsOptions& options) {
  HostFacts facts;
  facts.root = geteuid() == 0;
  utsname names{};
  if (uname(&names) == 0) facts.kernel = names.release;
  for (const char* kind : kNamespaceLimits) {
    const std::string name = std::string("max_") + kind + "_namespaces";
    const auto line = read_line("/proc/sys/user/" + name);
    const auto value = line ? parse_number(*line) : std::nullopt;
    if (value) facts.namespace_limits.emplace_back("user." + name, *value);
  }
  facts.cgroup = cgroup_facts(options.cgroup_parent, kernel_version(facts.kernel));
  if (facts.root) facts.features.memory_peak_reset = try_memory_peak_reset(facts.cgroup);
  if (const auto actions = read_line("/proc/sys/kernel/seccomp/actions_avail"))
    facts.seccomp_actions = words(*actions);
  facts.capabilities = effective_capabilities();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) facts.nofile_hard = limit.rlim_max;
  facts.pool = options.pool;
  if (auto others = foreign_ids())
    facts.foreign_ids = std::move(*others);
  else
    facts.foreign_ids_error = others.error().text;
  facts.state = state_facts(options.state_dir);
  struct stat status {};
  facts.merged_usr = lstat("/bin", &status) == 0 && S_ISLNK(status.st_mode);
  for (const char* program : kPrograms) {
    if (access((options.helpers + "/" + program).c_str(), X_OK) != 0)
      facts.missing_programs.emplace_back(program);
  }
  for (const char* tool : kTools) {
    if (in_path(tool)) facts.tools.emplace_back(tool);
  }
  for (const char* name : kSettings) {
    if (auto value = read_line(std::string("/proc/sys/") + name))
      facts.settings.emplace_back(name, std::move(*value));
  }
  probe_kernel({facts.state.probed, "/usr"}, facts);
  return facts;
}

}  // namespace sbx
