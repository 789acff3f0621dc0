#include "mount_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <sstream>
#include <string>
#include <vector>

#include "os/file.h"

namespace sbx::bench {
namespace {

struct CgroupMounts {
  bool v1 = false;
  std::vector<std::string> v2;
};

// proc_pid_mountinfo(5): the fifth field is the mount point, the first behind " - " the type.
CgroupMounts find_cgroup_mounts(const std::string& mountinfo) {
  CgroupMounts mounts;
  std::istringstream lines(mountinfo);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream fields(line);
    std::string point;
    for (int i = 0; i < 5; ++i) fields >> point;
    const std::string_view type = std::string_view(line).substr(dash + 3);
    if (type.starts_with("cgroup ")) mounts.v1 = true;
    if (type.starts_with("cgroup2 ")) mounts.v2.push_back(point);
  }
  return mounts;
}

// In the child: the errno of what failed, or 0. We have one thread, so more than system calls is fine here.
int unshare_and_cover(const std::vector<std::string>& points) {
  if (unshare(CLONE_NEWNS) != 0) return errno;
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return errno;
  for (const std::string& point : points) {
    if (mount("none", point.c_str(), "tmpfs", 0, "size=4k") != 0) return errno;
  }
  return 0;
}

}  // namespace

Result<std::optional<UniqueFd>> hide_cgroup_v2() {
  const CgroupMounts mounts = find_cgroup_mounts(TRY(os::read_file(AT_FDCWD, "/proc/self/mountinfo")));
  if (!mounts.v1 || mounts.v2.empty()) return std::optional<UniqueFd>{};
  std::array<int, 2> answer{};
  std::array<int, 2> hold{};
  if (pipe2(answer.data(), O_CLOEXEC) != 0) return fail(system_error("pipe2", "", errno));
  UniqueFd answer_read(answer[0]);
  UniqueFd answer_write(answer[1]);
  if (pipe2(hold.data(), O_CLOEXEC) != 0) return fail(system_error("pipe2", "", errno));
  UniqueFd hold_read(hold[0]);
  UniqueFd hold_write(hold[1]);
  const pid_t pid = fork();
  if (pid < 0) return fail(system_error("fork", "", errno));
  if (pid == 0) {
    hold_write.reset();
    const int number = unshare_and_cover(mounts.v2);
    char byte = 0;
    if (write(answer_write.get(), &number, sizeof number) != sizeof number) _exit(1);
    (void)!read(hold_read.get(), &byte, 1);  // until the parent has what it wants, or is gone
    _exit(0);
  }
  answer_write.reset();
  int number = 0;
  const bool answered = read(answer_read.get(), &number, sizeof number) == sizeof number;
  auto opened = os::open_at(AT_FDCWD, "/proc/" + std::to_string(pid) + "/ns/mnt", O_RDONLY);
  hold_write.reset();
  (void)waitpid(pid, nullptr, 0);  // its answer counts, not its status
  if (!answered) return fail("the process that hides the cgroup v2 mount died");
  if (number != 0) return fail(system_error("unshare and mount", "a namespace without cgroup v2", number));
  return std::optional(TRY(std::move(opened)));
}

}  // namespace sbx::bench
