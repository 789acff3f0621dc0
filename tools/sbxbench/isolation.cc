#include "isolation.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <optional>
#include <sstream>
#include <utility>

#include "os/file.h"
#include "resource/cgroup.h"

namespace sbx::bench {
namespace {

constexpr std::array<std::pair<const char*, const char*>, 7> kNamespaces{{{"mnt", "mount"},
                                                                          {"pid", "pid"},
                                                                          {"net", "net"},
                                                                          {"ipc", "ipc"},
                                                                          {"uts", "uts"},
                                                                          {"user", "user"},
                                                                          {"cgroup", "cgroup"}}};

// The files of v2 and v1 that hold a limit, and the word (or the smallest number) that means there is none.
struct LimitFile {
  const char* limit;
  const char* hierarchy;
  const char* file;
  const char* none;
};
constexpr std::array<LimitFile, 6> kLimitFiles{
    {{"memory limit", "v2", "memory.max", "max"},
     {"memory limit", "memory", "memory.limit_in_bytes", "9223372036854771712"},
     {"pids limit", "v2", "pids.max", "max"},
     {"pids limit", "pids", "pids.max", "max"},
     {"cpu limit", "v2", "cpu.max", "max"},
     {"cpu limit", "cpu", "cpu.cfs_quota_us", "-1"}}};

std::string first_word(const std::string& text) { return text.substr(0, text.find_first_of(" \t\n")); }

std::string value_of(const std::map<std::string, std::string>& map, const std::string& key) {
  const auto found = map.find(key);
  return found == map.end() ? std::string() : found->second;
}

std::map<std::string, std::string> parse_status(const std::string& text) {
  std::map<std::string, std::string> fields;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t colon = line.find(":\t");
    if (colon != std::string::npos) fields[line.substr(0, colon)] = line.substr(colon + 2);
  }
  return fields;
}

Result<std::string> read_link(const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const ssize_t length = readlink(path.c_str(), target.data(), target.size());
  if (length < 0) return fail(system_error("readlink", path, errno));
  return std::string(target.data(), static_cast<std::size_t>(length));
}

Result<std::map<std::string, std::string>> read_cgroups(const std::string& process) {
  const std::string membership = TRY(os::read_file(AT_FDCWD, process + "/cgroup"));
  const std::string mountinfo = TRY(os::read_file(AT_FDCWD, "/proc/self/mountinfo"));
  std::map<std::string, std::string> groups;
  for (const auto& entry : parse_cgroup_membership(membership, mountinfo).entries) {
    if (entry.controllers.empty()) groups["v2"] = entry.directory;
    for (const std::string& controller : entry.controllers) groups[controller] = entry.directory;
  }
  return groups;
}

// From the group up to the first that we are in as well: a limit in between counts.
std::optional<std::string> find_limit(const LimitFile& file, std::string group, const std::string& ours) {
  for (; !group.empty() && !(ours + "/").starts_with(group + "/"); group.resize(group.find_last_of('/'))) {
    const auto text = os::read_file(AT_FDCWD, group + "/" + file.file);
    if (text && first_word(*text) != file.none) return text->substr(0, text->find('\n'));
  }
  return std::nullopt;
}

bool is_zero(const std::string& hexadecimal) {
  return !hexadecimal.empty() && hexadecimal.find_first_not_of('0') == std::string::npos;
}

}  // namespace

Result<ProcessFacts> read_facts(pid_t pid) {
  const std::string process = "/proc/" + std::to_string(pid);
  ProcessFacts facts;
  for (const auto& [link, name] : kNamespaces)
    facts.namespaces[link] = TRY(read_link(process + "/ns/" + link));
  facts.status = parse_status(TRY(os::read_file(AT_FDCWD, process + "/status")));
  const UniqueFd root = TRY(os::open_at(AT_FDCWD, process + "/root", O_PATH | O_DIRECTORY));
  const struct stat status = TRY(os::stat_fd(root.get(), process + "/root"));
  facts.root = std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
  facts.cgroups = TRY(read_cgroups(process));
  return facts;
}

Isolation compare_facts(const ProcessFacts& theirs, const ProcessFacts& ours) {
  Isolation result;
  const auto note = [&](const std::string& name, bool apart) { result.checks.emplace_back(name, apart); };
  for (const auto& [link, name] : kNamespaces) {
    note(name, value_of(theirs.namespaces, link) != value_of(ours.namespaces, link));
  }
  note("root", theirs.root != ours.root);
  result.outside_uid = first_word(value_of(theirs.status, "Uid"));
  note("uid", result.outside_uid != first_word(value_of(ours.status, "Uid")));
  constexpr std::array kSets{"CapInh", "CapPrm", "CapEff", "CapAmb", "CapBnd"};
  note("capabilities",
       std::ranges::all_of(kSets, [&](const char* set) { return is_zero(value_of(theirs.status, set)); }));
  note("no_new_privs", value_of(theirs.status, "NoNewPrivs") == "1");
  note("seccomp", value_of(theirs.status, "Seccomp") == "2");  // 2: a filter; 1 is the old strict mode

  for (const auto& [hierarchy, directory] : theirs.cgroups) {
    if (directory != value_of(ours.cgroups, hierarchy)) result.cgroups.push_back(hierarchy);
  }
  std::map<std::string, bool> limited;
  for (const LimitFile& file : kLimitFiles) {
    bool& apart = limited[file.limit];
    if (!theirs.cgroups.contains(file.hierarchy)) continue;
    const auto limit =
        find_limit(file, value_of(theirs.cgroups, file.hierarchy), value_of(ours.cgroups, file.hierarchy));
    if (!limit) continue;
    apart = true;
    result.limits[file.file] = *limit;
  }
  for (const auto& [name, apart] : limited) note(name, apart);
  return result;
}

}  // namespace sbx::bench
