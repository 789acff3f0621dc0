#include "host.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <sstream>

#include "os/file.h"

namespace sbx::bench {
namespace {

std::string read_text(const std::string& path) {
  return os::read_file(AT_FDCWD, path).value_or(std::string());
}

std::string find_processor() {
  std::istringstream lines(read_text("/proc/cpuinfo"));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return {};
}

std::string name_cgroup_layout() {
  const std::string mounts = read_text("/proc/self/mountinfo");
  const bool v1 = mounts.find(" - cgroup ") != std::string::npos;
  const bool v2 = mounts.find(" - cgroup2 ") != std::string::npos;
  if (v1 && v2) return "hybrid";
  if (v1) return "v1";
  return v2 ? "v2" : "none";
}

long count_cpus() {
  cpu_set_t set{};
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : sysconf(_SC_NPROCESSORS_ONLN);
}

}  // namespace

HostFacts read_host_facts() {
  utsname names{};
  (void)uname(&names);  // fails for a bad pointer only
  return {.cpus = count_cpus(),
          .processor = find_processor(),
          .kernel = names.release,
          .cgroups = name_cgroup_layout()};
}

std::string read_load() {
  const std::string text = read_text("/proc/loadavg");
  std::size_t end = 0;
  for (int i = 0; i < 3 && end != std::string::npos; ++i) end = text.find(' ', end + 1);
  return text.substr(0, end);
}

}  // namespace sbx::bench
