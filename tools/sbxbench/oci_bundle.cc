#include "oci_bundle.h"

#include <fcntl.h>

#include <nlohmann/json.hpp>

#include "os/file.h"

namespace sbx::bench {
namespace {

using nlohmann::ordered_json;

ordered_json mount(const char* destination, const char* type, const char* source,
                   std::vector<std::string> options) {
  return {{"destination", destination}, {"type", type}, {"source", source}, {"options", std::move(options)}};
}

// No /sys, so no cgroup mount either: sbx has none, and runc cannot make one on every hybrid layout.
ordered_json mounts() {
  return ordered_json::array({
      mount("/usr", "bind", "/usr", {"bind", "ro", "nosuid", "nodev"}),
      mount("/proc", "proc", "proc", {"nosuid", "nodev", "noexec"}),
      mount("/dev", "tmpfs", "tmpfs", {"nosuid", "noexec", "mode=755", "size=64k"}),
      mount("/dev/pts", "devpts", "devpts",
            {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}),
      mount("/dev/shm", "tmpfs", "shm", {"nosuid", "nodev", "noexec", "mode=1777", "size=64m"}),
      mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "nodev", "noexec"}),
      mount("/tmp", "tmpfs", "tmpfs", {"nosuid", "nodev", "mode=1777", "size=256m"}),
      mount("/workspace", "tmpfs", "tmpfs", {"nosuid", "nodev", "mode=1777", "size=1g"}),
  });
}

ordered_json process(const std::vector<std::string>& program) {
  const ordered_json none = ordered_json::array();
  return {{"terminal", false},
          {"user", {{"uid", 1000}, {"gid", 1000}}},
          {"args", program},
          {"env", {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}},
          {"cwd", "/workspace"},
          {"capabilities",
           {{"bounding", none},
            {"effective", none},
            {"inheritable", none},
            {"permitted", none},
            {"ambient", none}}},
          {"rlimits", ordered_json::array({{{"type", "RLIMIT_NOFILE"}, {"hard", 1024}, {"soft", 1024}}})},
          {"noNewPrivileges", true}};
}

ordered_json namespaces() {
  ordered_json list = ordered_json::array();
  for (const char* type : {"mount", "pid", "network", "ipc", "uts", "cgroup"})
    list.push_back({{"type", type}});
  return list;
}

ordered_json resources() {
  return {{"memory", {{"limit", 512LL << 20U}}},
          {"pids", {{"limit", 256}}},
          {"cpu", {{"quota", 100'000}, {"period", 100'000}}}};
}

}  // namespace

Result<void> write_bundle(const std::string& directory, const Bundle& bundle) {
  ordered_json linux_part = {
      {"namespaces", namespaces()},
      {"maskedPaths",
       {"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
        "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi"}},
      {"readonlyPaths", {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}}};
  if (bundle.limits) linux_part["resources"] = resources();
  const ordered_json config = {{"ociVersion", "1.0.0"},
                               {"process", process(bundle.program)},
                               {"root", {{"path", bundle.root}, {"readonly", true}}},
                               {"hostname", "sandbox"},
                               {"mounts", mounts()},
                               {"linux", std::move(linux_part)}};
  TRY(os::make_directories(directory, 0755));
  return os::replace_file(AT_FDCWD, directory + "/config.json", config.dump(2), 0644);
}

}  // namespace sbx::bench
