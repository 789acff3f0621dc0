#include "resource/cgroup.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <set>
#include <thread>

#include "os/file.h"
#include "resource/host_needs.h"

namespace sbx {
namespace {

constexpr auto kRemoveTimeout = std::chrono::seconds(2);

// rmdir gives EBUSY until the last process of the group is fully gone, a moment after it was waited for.
Result<void> remove_when_empty(const std::string& path) {
  const auto deadline = std::chrono::steady_clock::now() + kRemoveTimeout;
  auto pause = std::chrono::microseconds(100);
  while (rmdir(path.c_str()) != 0) {
    if (errno == ENOENT) return {};
    if (errno != EBUSY || std::chrono::steady_clock::now() > deadline)
      return fail(system_error("rmdir", path, errno));
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::microseconds(20'000));
  }
  return {};
}

std::set<int> members_of(const std::string& path) {
  std::set<int> pids;
  const auto members = os::read_file(AT_FDCWD, path + "/cgroup.procs");
  if (!members) return pids;
  const char* at = members->data();
  const char* end = at + members->size();
  while (at < end) {
    int pid = 0;
    const auto [next, error] = std::from_chars(at, end, pid);
    if (error != std::errc{}) break;
    if (pid > 0) pids.insert(pid);  // 0: of another pid namespace
    at = next + 1;
  }
  return pids;
}

// v1 without a v2 mount: no cgroup.kill. A fork can slip between reading and killing, so again until empty.
void kill_members(const std::string& path) {
  for (int round = 0; round < 100 && !members_of(path).empty(); ++round) {
    signal_members(path, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// A journal is only as good as the disk it was on: nothing but a group with a name of ours is touched.
bool is_our_group(const std::string& path) {
  struct statfs status {};
  if (!path.starts_with('/') || path.find("/../") != std::string::npos) return false;
  if (!path.substr(path.find_last_of('/') + 1).starts_with("sbx-")) return false;
  return statfs(path.c_str(), &status) == 0 &&
         (status.f_type == CGROUP2_SUPER_MAGIC || status.f_type == CGROUP_SUPER_MAGIC);
}

// Of the commands of a sandbox, and of its init, the deepest first. What cannot be read is told by the
// removal of `path`.
std::vector<std::string> groups_below(const std::string& path) {
  std::vector<std::string> groups;
  std::error_code error;
  std::filesystem::recursive_directory_iterator entry(path, error);
  for (; !error && entry != end(entry); entry.increment(error)) {
    std::error_code gone;
    if (entry->is_directory(gone)) groups.push_back(entry->path());
  }
  std::ranges::reverse(groups);
  return groups;
}

}  // namespace

int only_member(const std::string& path) {
  const std::set<int> members = members_of(path);
  return members.size() == 1 ? *members.begin() : 0;
}

namespace {

// A number may have become somebody else's between the two looks, but what is here now is what was opened.
void signal_those(const std::string& path, int signal, const std::set<int>& pids) {
  std::vector<std::pair<int, UniqueFd>> processes;
  for (const int pid : pids) {
    UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (process.valid()) processes.emplace_back(pid, std::move(process));
  }
  const std::set<int> still = members_of(path);
  for (const auto& [pid, process] : processes) {
    if (still.contains(pid)) (void)syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0);
  }
}

}  // namespace

void signal_members(const std::string& path, int signal, int except) {
  std::set<int> members = members_of(path);
  members.erase(except);
  signal_those(path, signal, members);
}

std::string CgroupLayout::controller(std::string_view name) const {
  for (const auto& [controller_name, directory] : controllers) {
    if (controller_name == name) return directory;
  }
  return {};
}

std::vector<std::string> cgroup_directories(const CgroupLayout& layout, const std::string& name) {
  std::vector<std::string> directories;
  if (!layout.unified.empty()) directories.push_back(layout.unified + "/" + name);
  for (const auto& [controller, directory] : layout.controllers) {
    const std::string path = directory + "/" + name;
    if (std::ranges::find(directories, path) == directories.end()) directories.push_back(path);
  }
  return directories;
}

Result<std::unique_ptr<SandboxCgroup>> make_cgroup(const CgroupLayout& layout, const std::string& name,
                                                   const CgroupUse& use, const LimitSet& limits,
                                                   const std::vector<std::string>& allowed,
                                                   CgroupControls& controls) {
  const auto make = layout.kind == CgroupLayout::Kind::v2 ? make_cgroup_v2 : make_cgroup_v1;
  return make(layout, name, use, limits, allowed, controls);
}

Result<RemovedCgroups> remove_cgroup_directories(const std::vector<std::string>& all) {
  RemovedCgroups removed;
  std::set<int> processes;  // on v1 each is in several groups
  std::vector<std::string> directories;
  for (const std::string& directory : all) {
    if (!is_our_group(directory)) continue;
    std::ranges::move(groups_below(directory), std::back_inserter(directories));
    directories.push_back(directory);
  }
  for (const std::string& directory : directories) processes.merge(members_of(directory));
  for (const std::string& directory : directories) {
    if (!os::write_existing(AT_FDCWD, directory + "/cgroup.kill", "1")) kill_members(directory);
  }
  for (const std::string& directory : directories) TRY(remove_when_empty(directory));
  removed.groups = directories.size();
  removed.processes = processes.size();
  return removed;
}

Result<CgroupDirectory> CgroupDirectory::create(const std::string& path) {
  if (mkdir(path.c_str(), 0755) != 0) {
    const int error = errno;
    return fail(with_need(system_error("mkdir", path, error),
                          error == EROFS ? HostNeed::cgroup_write : HostNeed::none));
  }
  CgroupDirectory directory;
  directory.path_ = path;
  Result<UniqueFd> fd = os::open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
  if (!fd) {
    (void)rmdir(path.c_str());
    return fail(std::move(fd).error());
  }
  directory.fd_ = std::move(*fd);
  return directory;
}

CgroupDirectory::CgroupDirectory(CgroupDirectory&& other) noexcept
    : path_(std::exchange(other.path_, {})), fd_(std::move(other.fd_)) {}

CgroupDirectory& CgroupDirectory::operator=(CgroupDirectory&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  return *this;
}

CgroupDirectory::~CgroupDirectory() {
  if (fd_.valid())
    (void)remove();  // the normal path has called it and seen its error; the next sweep tries again
}

bool CgroupDirectory::has(const std::string& file) const {
  return faccessat(fd_.get(), file.c_str(), F_OK, 0) == 0;
}

Result<void> CgroupDirectory::write(const std::string& file, std::string_view value) const {
  TRY_DOING("cgroup '" + path_ + "'", os::write_existing(fd_.get(), file, value));
  return {};
}

Result<void> CgroupDirectory::give_to(std::uint32_t uid) const {
  if (fchownat(fd_.get(), "cgroup.procs", uid, static_cast<gid_t>(-1), 0) != 0)
    return fail(system_error("chown", path_ + "/cgroup.procs", errno));
  return {};
}

namespace {

std::optional<std::uint64_t> number_in(int directory, const std::string& file) {
  const auto text = os::read_file(directory, file, 4096);
  std::uint64_t value = 0;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc{}) return {};
  return value;
}

}  // namespace

std::optional<std::uint64_t> CgroupDirectory::number(const std::string& file) const {
  return number_in(fd_.get(), file);
}

std::optional<std::uint64_t> CgroupDirectory::number_at(const std::string& path) {
  return number_in(AT_FDCWD, path);
}

std::optional<std::uint64_t> CgroupDirectory::keyed(const std::string& file, std::string_view key) const {
  const auto text = os::read_file(fd_.get(), file, 65536);
  if (!text) return {};
  return find_keyed_number(*text, key);
}

void CgroupDirectory::count(const std::string& file, std::string_view key, std::uint64_t& counter,
                            bool& known) const {
  const auto text = os::read_file(fd_.get(), file, 65536);
  if (text) counter = find_keyed_number(*text, key).value_or(0);
  if (!text && text.error().error_number != ENOENT) known = false;
}

Result<void> CgroupDirectory::remove() {
  if (!fd_.valid()) return {};
  fd_.reset();
  return remove_when_empty(path_);
}

std::optional<std::uint64_t> find_keyed_number(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == ' ') {
      std::uint64_t value = 0;
      const std::string_view digits = line.substr(key.size() + 1);
      if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec == std::errc{})
        return value;
      return {};
    }
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return {};
}

bool host_has_swap() {
  const auto swaps = os::read_file(AT_FDCWD, "/proc/swaps");
  if (!swaps) return swaps.error().error_number != ENOENT;  // a kernel without swap has no such file
  return swaps->find('\n') + 1 < swaps->size();             // more than the heading
}

Result<void> degrade(std::string_view control, std::string_view why, const std::vector<std::string>& allowed,
                     CgroupControls& controls) {
  if (std::ranges::find(allowed, control) == allowed.end()) {
    return fail("the control '" + std::string(control) + "' is missing: " + std::string(why) +
                "; provide it, or name it in the policy's allow_degraded");
  }
  controls.degradations.emplace_back(control);
  return {};
}

// "some avg10=0.12 avg60=…"
void read_pressure(const CgroupDirectory& directory, CgroupState& state) {
  const auto read = [&](const char* file) -> std::optional<double> {
    const auto text = os::read_file(directory.fd(), file, 4096);
    double value = 0;
    if (!text || std::sscanf(text->c_str(), "some avg10=%lf", &value) != 1) return std::nullopt;
    return value;
  };
  state.cpu_pressure = read("cpu.pressure");
  state.memory_pressure = read("memory.pressure");
  state.io_pressure = read("io.pressure");
}

}  // namespace sbx
