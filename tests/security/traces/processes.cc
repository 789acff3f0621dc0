// Processes that stay, and what they hold; names of the machine.
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "trace.h"

namespace sbx::trace {
namespace {

constexpr pid_t kNumbers = 2'000;
constexpr const char* kName = "sbx-trace";

bool is_own(pid_t pid) { return pid == 1 || pid == getpid() || pid == getppid(); }

// A daemon: nobody's child, in a session of its own.
long leave_daemon() {
  const pid_t child = fork();
  if (child == 0) {
    (void)setsid();
    if (fork() != 0) _exit(0);
    (void)prctl(PR_SET_NAME, kName);
    while (true) (void)pause();
  }
  return waitpid(child, nullptr, 0);
}

// The first process that `use` takes.
template <class F>
long find_process(F use) {
  for (pid_t pid = 2; pid < kNumbers; ++pid) {
    if (!is_own(pid) && use(pid)) return pid;
  }
  return fail(ESRCH);
}

long find_number() {
  return find_process([](pid_t pid) { return kill(pid, 0) == 0 || errno != ESRCH; });
}

long trace_it() {
  return find_process([](pid_t pid) {
    if (ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0) return false;
    (void)ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr);
    (void)waitpid(pid, nullptr, __WALL);
    return ptrace(PTRACE_DETACH, pid, nullptr, nullptr) == 0;
  });
}

const char kInMemory[] = "left in memory";

// The table is where it is in every process of this program (linked statically, at a fixed address).
long read_its_memory() {
  return find_process([](pid_t pid) {
    char seen[sizeof kInMemory] = {};
    const iovec here{seen, sizeof seen};
    const iovec there{const_cast<char*>(kInMemory), sizeof kInMemory};
    return process_vm_readv(pid, &here, 1, &there, 1, 0) == sizeof kInMemory;
  });
}

// Whether `look` says yes to the directory of any process in /proc that is not one's own.
template <class F>
long find_in_proc(F look) {
  DIR* list = opendir("/proc");
  if (list == nullptr) return -1;
  while (const dirent* entry = readdir(list)) {
    const pid_t pid = std::atoi(entry->d_name);
    if (pid > 0 && pid != getpid() && look(std::string("/proc/") + entry->d_name)) return pid;
  }
  return fail(ENOENT);
}

long find_name() {
  return find_in_proc([](const std::string& directory) {
    std::ifstream file(directory + "/comm");
    std::string name;
    return std::getline(file, name) && name == kName;
  });
}

long find_memory_file() {
  return find_in_proc([](const std::string& directory) {
    for (int fd = 0; fd < 64; ++fd) {
      char link[256] = {};
      const std::string path = directory + "/fd/" + std::to_string(fd);
      if (readlink(path.c_str(), link, sizeof link - 1) > 0 && std::strstr(link, kName) != nullptr)
        return true;
    }
    return false;
  });
}

long leave_host_name() { return sethostname(kName, std::strlen(kName)); }
long find_host_name() {
  char name[65] = {};
  if (gethostname(name, sizeof name) != 0) return -1;
  return std::strcmp(name, kName) == 0 ? 0 : fail(ENOENT);
}

long leave_domain_name() { return setdomainname(kName, std::strlen(kName)); }
long find_domain_name() {
  char name[65] = {};
  if (getdomainname(name, sizeof name) != 0) return -1;
  return std::strcmp(name, kName) == 0 ? 0 : fail(ENOENT);
}

// Terminals are numbered from 0: who gets another number sees that somebody has one.
long leave_terminal() { return posix_openpt(O_RDWR | O_NOCTTY); }
long find_terminal() {
  const int master = posix_openpt(O_RDWR | O_NOCTTY);
  const char* name = master < 0 ? nullptr : ptsname(master);
  if (name == nullptr) return -1;
  return std::strcmp(name, "/dev/pts/0") == 0 ? fail(ENOENT) : 0;
}

constexpr const char* kOwnPids = "own pid namespace, which ends with the sandbox";

constexpr Trace kTraces[] = {
    {.name = "processes.number",
     .aim = "a daemon by its number",
     .control = kOwnPids,
     .other = "ESRCH",
     .leave = leave_daemon,
     .find = find_number},
    {.name = "processes.name",
     .aim = "a daemon by its name in /proc",
     .control = "own pid namespace; /proc of it",
     .other = "ENOENT",
     .leave = leave_daemon,
     .find = find_name},
    // Under strict, where nobody may trace, every process is refused as if it was not there.
    {.name = "processes.ptrace",
     .aim = "a daemon and trace it",
     .control = kOwnPids,
     .other = "ESRCH",
     .leave = leave_daemon,
     .find = trace_it},
    {.name = "processes.memory",
     .aim = "a daemon's memory",
     .control = kOwnPids,
     .other = "ESRCH",
     .leave = leave_daemon,
     .find = read_its_memory},
    {.name = "processes.memory_file",
     .aim = "a memory file (memfd) of another process",
     .control = "own pid namespace; /proc of it",
     .other = "ENOENT",
     .leave = [] { return static_cast<long>(memfd_create(kName, 0)); },
     .find = find_memory_file},
    {.name = "processes.terminal",
     .aim = "that somebody has a terminal, by the number of one's own",
     .control = "own devpts",
     .other = "ENOENT",
     .leave = leave_terminal,
     .find = find_terminal},
    {.name = "names.host",
     .aim = "a host name that somebody set",
     .control = "filter: sethostname; no capability; own UTS namespace",
     .other = "ENOENT",
     .alone = "ENOENT",
     .leave = leave_host_name,
     .find = find_host_name},
    {.name = "names.domain",
     .aim = "a domain name that somebody set",
     .control = "filter: setdomainname; no capability; own UTS namespace",
     .other = "ENOENT",
     .alone = "ENOENT",
     .leave = leave_domain_name,
     .find = find_domain_name},
};

}  // namespace

std::span<const Trace> process_traces() { return kTraces; }

}  // namespace sbx::trace
