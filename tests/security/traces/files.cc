// Files, sockets, FIFOs and attributes in each place that a program may write to, and in those it may not.
#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "trace.h"

namespace sbx::trace {
namespace {

constexpr char kHome[] = "HOME";
constexpr char kTmp[] = "/tmp";
constexpr char kVarTmp[] = "/var/tmp";
constexpr char kDevShm[] = "/dev/shm";
constexpr char kWorkspace[] = "/workspace";
constexpr char kProjectFiles[] = "/workspace/project_files";
constexpr char kAgentWorkspace[] = "/workspace/agent_workspace";
constexpr char kOutputs[] = "/workspace/outputs";
constexpr char kRoot[] = "/";
constexpr char kEtc[] = "/etc";
constexpr char kUsr[] = "/usr/bin";
constexpr char kDev[] = "/dev";
constexpr char kMnt[] = "/mnt";

std::string path_in(const char* place) {
  const char* home = std::getenv(kHome);
  const std::string directory = place == kHome && home != nullptr ? home : place;
  return directory + "/" + name_with_key();
}

template <const char* place>
long leave_file() {
  return open(path_in(place).c_str(), O_CREAT | O_WRONLY, 0666);
}

template <const char* place>
long find_file() {
  return open(path_in(place).c_str(), O_RDONLY);
}

sockaddr_un socket_address(const char* place) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, (path_in(place) + ".sock").c_str(), sizeof address.sun_path - 1);
  return address;
}

template <const char* place>
long leave_socket() {
  const sockaddr_un address = socket_address(place);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return -1;
  return listen(fd, 8);
}

template <const char* place>
long find_socket() {
  const sockaddr_un address = socket_address(place);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  return connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

long leave_fifo() {
  const std::string path = path_in(kTmp) + ".fifo";
  return mkfifo(path.c_str(), 0666) != 0 ? -1 : open(path.c_str(), O_RDONLY | O_NONBLOCK);
}

long find_fifo() {
  const int fd = open((path_in(kTmp) + ".fifo").c_str(), O_WRONLY | O_NONBLOCK);
  return fd < 0 ? -1 : write(fd, "x", 1);
}

constexpr const char* kAttribute = "user.sbx-trace";
constexpr const char* kLower = "/usr/bin/env";

template <const char* place>
long leave_attribute() {
  const std::string path = path_in(place) + ".attribute";
  return open(path.c_str(), O_CREAT | O_WRONLY, 0666) < 0 ? -1
                                                          : setxattr(path.c_str(), kAttribute, "x", 1, 0);
}

template <const char* place>
long find_attribute() {
  char value = 0;
  return getxattr((path_in(place) + ".attribute").c_str(), kAttribute, &value, 1);
}

long leave_attribute_of_lower() { return setxattr(kLower, kAttribute, "x", 1, 0); }
long find_attribute_of_lower() {
  char value = 0;
  return getxattr(kLower, kAttribute, &value, 1);
}

long leave_mode() { return chmod(kLower, 0700); }
long find_mode() {
  struct stat status {};
  if (stat(kLower, &status) != 0) return -1;
  return (status.st_mode & 0777) == 0700 ? 0 : fail(ENOENT);
}

// Dies of a signal that asks for a core file, where one could be written.
long leave_core() {
  const pid_t pid = fork();
  if (pid == 0) {
    const rlimit any{RLIM_INFINITY, RLIM_INFINITY};
    if (setrlimit(RLIMIT_CORE, &any) != 0 || chdir(kTmp) != 0) _exit(1);
    std::abort();
  }
  return waitpid(pid, nullptr, 0);
}

long find_core() {
  DIR* list = opendir(kTmp);
  while (const dirent* entry = list != nullptr ? readdir(list) : nullptr) {
    if (std::string_view(entry->d_name).starts_with("core")) return 0;
  }
  return fail(ENOENT);
}

long leave_mount() {
  if (mount("none", kMnt, "tmpfs", 0, nullptr) != 0) return -1;
  return leave_file<kMnt>();
}

constexpr const char* kInside = "not tried: a sandbox alone has it";
constexpr const char* kOwnTmpfs = "own tmpfs, gone with the sandbox";
constexpr const char* kReadOnly = "read-only, or an upper layer of its own (permissive)";

template <const char* place>
constexpr Trace file(std::string_view name, std::string_view aim, std::string_view control,
                     std::string_view alone, std::string_view outside) {
  return {.name = name,
          .aim = aim,
          .control = control,
          .other = "ENOENT",
          .alone = alone,
          .outside = outside,
          .leave = leave_file<place>,
          .find = find_file<place>};
}

template <const char* place>
constexpr Trace server(std::string_view name, std::string_view aim, std::string_view control,
                       std::string_view outside) {
  return {.name = name,
          .aim = aim,
          .control = control,
          .other = "ENOENT",
          .outside = outside,
          .leave = leave_socket<place>,
          .find = find_socket<place>};
}

constexpr const char* kOwnWorkspace = "own workspace, thrown away or of another project";
constexpr const char* kHostsFile = "not tried: it would change the machine";

constexpr Trace kTraces[] = {
    file<kTmp>("files.tmp", "a file in /tmp", kOwnTmpfs, "ok", "ok"),
    file<kVarTmp>("files.var_tmp", "a file in /var/tmp", kOwnTmpfs, "ok", "ok"),
    file<kDevShm>("files.dev_shm", "a file, or POSIX shared memory, in /dev/shm", kOwnTmpfs, "ok", "ok"),
    file<kHome>("files.home", "a file in HOME", kOwnTmpfs, "ok", "ok"),
    file<kWorkspace>("files.workspace", "a file in /workspace", kReadOnly, "ENOENT", kInside),
    file<kProjectFiles>("files.project_files", "a file in project_files", kOwnWorkspace, "ok", kInside),
    file<kAgentWorkspace>("files.agent_workspace", "a file in agent_workspace", kOwnWorkspace, "ok", kInside),
    file<kOutputs>("files.outputs", "a file in outputs", kOwnWorkspace, "ok", kInside),
    file<kRoot>("files.root", "a file in the root of the image", kReadOnly, "ENOENT", kHostsFile),
    file<kEtc>("files.etc", "a file in /etc", kReadOnly, "ENOENT", kHostsFile),
    file<kUsr>("files.usr", "a file among the image's programs", kReadOnly, "ENOENT", kHostsFile),
    file<kDev>("files.dev", "a file in /dev", "own /dev, read-only", "ENOENT", kHostsFile),
    server<kTmp>("sockets.tmp", "a server on a Unix socket in /tmp", kOwnTmpfs, "ok"),
    server<kDevShm>("sockets.dev_shm", "a server on a Unix socket in /dev/shm", kOwnTmpfs, "ok"),
    server<kHome>("sockets.home", "a server on a Unix socket in HOME", kOwnTmpfs, "ok"),
    server<kAgentWorkspace>("sockets.agent_workspace", "a server on a Unix socket in agent_workspace",
                            kOwnWorkspace, kInside),
    server<kOutputs>("sockets.outputs", "a server on a Unix socket in outputs", kOwnWorkspace, kInside),
    {.name = "files.fifo",
     .aim = "a FIFO that somebody reads",
     .control = kOwnTmpfs,
     .other = "ENOENT",
     .leave = leave_fifo,
     .find = find_fifo},
    // tmpfs has had users' attributes since Linux 6.6.
    {.name = "attributes.tmp",
     .aim = "an attribute of a file in /tmp",
     .control = kOwnTmpfs,
     .other = "ENOENT",
     .alone = "ok|EOPNOTSUPP",
     .outside = "ok|EOPNOTSUPP",
     .leave = leave_attribute<kTmp>,
     .find = find_attribute<kTmp>},
    {.name = "attributes.outputs",
     .aim = "an attribute of a file in outputs",
     .control = kOwnWorkspace,
     .other = "ENOENT",
     .alone = "ok|EOPNOTSUPP",
     .outside = kInside,
     .leave = leave_attribute<kOutputs>,
     .find = find_attribute<kOutputs>},
    {.name = "attributes.image",
     .aim = "an attribute of a program of the image",
     .control = "read-only, and somebody else's",
     .other = "ENODATA|EOPNOTSUPP",
     .alone = "ENODATA|EOPNOTSUPP",
     .outside = kHostsFile,
     .leave = leave_attribute_of_lower,
     .find = find_attribute_of_lower},
    {.name = "files.mode",
     .aim = "a program of the image with other permissions",
     .control = "read-only, and somebody else's",
     .other = "ENOENT",
     .alone = "ENOENT",
     .outside = kHostsFile,
     .leave = leave_mode,
     .find = find_mode},
    {.name = "files.core",
     .aim = "the memory of a program that crashed",
     .control = "rlimit: core; filter: setrlimit of it is ignored; own tmpfs",
     .other = "ENOENT",
     .alone = "ENOENT",
     .outside = "not tried: the host's handler of crashes would start",
     .leave = leave_core,
     .find = find_core},
    {.name = "files.mount",
     .aim = "a file in a mount that somebody made",
     .control = "filter: mount; no capability; own mount namespace",
     .other = "ENOENT",
     .alone = "ENOENT",
     .leave = leave_mount,
     .find = find_file<kMnt>},
};

}  // namespace

std::span<const Trace> file_traces() { return kTraces; }

}  // namespace sbx::trace
