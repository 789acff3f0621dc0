#include "faults.h"

#include <cstdlib>
#include <map>
#include <set>
#include <sstream>

namespace sbx::test {
namespace {

using Strings = std::vector<std::string>;

// The errnos that the manual pages name for a good call on a host that is short of something or broken. Not
// here: calls that cannot fail so, and those of the C library that nobody could do anything about (munmap,
// close, the set-up of a thread).
const std::map<std::string, Strings>& plausible() {
  static const Strings kMemory{"ENOMEM"};
  static const Strings kDescriptor{"EMFILE", "ENOMEM"};
  static const Strings kRead{"EIO"};
  static const Strings kWrite{"ENOSPC", "EIO"};
  static const Strings kName{"ENOSPC", "EIO"};
  static const Strings kRight{"EPERM"};
  static const Strings kMount{"ENOMEM", "EPERM"};
  static const Strings kProcess{"EAGAIN", "ENOMEM"};
  static const std::map<std::string, Strings> calls{
      {"openat", {"EMFILE", "EIO"}},
      {"openat2", {"EMFILE", "EAGAIN"}},
      {"read", kRead},
      {"pread64", kRead},
      {"write", kWrite},
      {"pwrite64", kWrite},
      {"write_cgroup", {"EBUSY", "EIO"}},
      {"lseek", kRead},
      {"ftruncate", kRead},
      {"fallocate", kWrite},
      {"fsync", kRead},
      {"getdents64", kRead},
      {"newfstatat", kRead},
      {"fstat", kRead},
      {"statx", kRead},
      {"fstatfs", kRead},
      {"statfs", kRead},
      {"readlink", kRead},
      {"mkdir", kName},
      {"mkdirat", kName},
      {"mknodat", kName},
      {"symlinkat", kName},
      {"rename", kName},
      {"renameat", kName},
      {"renameat2", kName},
      {"unlink", kRead},
      {"unlinkat", kRead},
      {"rmdir", {"EBUSY", "EIO"}},
      {"fchown", {"EPERM", "EIO"}},
      {"fchownat", {"EPERM", "EIO"}},
      {"fchmod", {"EPERM", "EIO"}},
      {"fchmodat", {"EPERM", "EIO"}},
      {"chmod", {"EPERM", "EIO"}},
      {"flock", {"ENOLCK", "EINTR"}},
      {"mmap", kMemory},
      {"clone", kProcess},
      {"clone3", {"EAGAIN", "ENOMEM", "ENOSPC", "EPERM"}},
      {"vfork", kProcess},
      {"execve", {"ENOMEM", "EACCES"}},
      {"execveat", {"ENOMEM", "EACCES"}},
      {"pipe2", {"EMFILE", "ENFILE"}},
      {"socket", kDescriptor},
      {"socketpair", kDescriptor},
      {"sendmsg", {"ENOBUFS", "ENOMEM", "ETOOMANYREFS"}},
      {"recvmsg", {"ENOMEM", "EINTR"}},
      {"poll", {"ENOMEM", "EINTR"}},
      {"ppoll", {"ENOMEM", "EINTR"}},
      {"memfd_create", kDescriptor},
      {"eventfd2", kDescriptor},
      {"signalfd4", kDescriptor},
      {"pidfd_open", kDescriptor},
      {"fcntl_dupfd", {"EMFILE"}},
      {"dup2", {"EMFILE"}},
      {"dup3", {"EMFILE"}},
      {"ioctl", {"EIO", "ENOMEM"}},
      {"unshare", {"ENOMEM", "ENOSPC", "EPERM"}},
      {"setns", {"ENOMEM", "EPERM"}},
      {"mount", kMount},
      {"umount2", {"EPERM"}},
      {"pivot_root", {"EPERM", "EBUSY"}},
      {"fsopen", {"EMFILE", "EPERM"}},
      {"fsconfig", {"ENOMEM", "EIO"}},
      {"fsmount", {"EMFILE", "ENOMEM"}},
      {"open_tree", {"EMFILE", "ENOMEM"}},
      {"move_mount", kMount},
      {"mount_setattr", kMount},
      {"chdir", {"ENOMEM", "EIO"}},
      {"fchdir", {"EIO"}},
      {"prctl", kRight},
      {"prlimit64", kRight},
      {"seccomp", {"ENOMEM", "EACCES"}},
      {"capset", kRight},
      {"capget", kRight},
      {"setresuid", {"EAGAIN", "EPERM"}},
      {"setresgid", kRight},
      {"setgroups", {"ENOMEM", "EPERM"}},
      {"setsid", kRight},
      {"sethostname", kRight},
      {"setdomainname", kRight},
      {"pidfd_send_signal", kRight},
      {"close_range", kMemory},
      {"sched_setaffinity", kRight},
  };
  return calls;
}

}  // namespace

std::vector<FaultyRun> faulty_runs() {
  const std::string note = "cat note; echo right";
  return {
      {"plain", {"--", "/bin/echo", "right"}, "right\n"},
      {"json", {"--json", "--", "/bin/echo", "right"}, "right\n"},
      {"project", {"--project", "kept", "--", "/bin/sh", "-c", note}, "whole\nright\n"},
      {"cow",
       {"--here=cow", "--", "/bin/sh", "-c", "cat note; echo spoiled >note; echo right"},
       "whole\nright\n"},
      {"terminal", {"-t", "--", "/bin/echo", "right"}, "right\r\n"},
      {"first", {"--", "/bin/echo", "right"}, "right\n"},
      {"resize", {"--project", "kept", "--disk=24M", "--", "/bin/sh", "-c", note}, "whole\nright\n"},
      {"denials", {"--policy=../telling.yaml", "--", "/bin/echo", "right"}, "right\n"},
      {"compiled", {"--language=toyc", "--code=print right"}, "right\n"},
      {"new-project", {"--project", "new", "--", "/bin/sh", "-c", "echo right | tee file"}, "right\n"},
  };
}

bool is_containment(const FaultCase& fault) {
  // Between clone and exec, of init and of the program, there is nothing else.
  if (fault.role == "child" || fault.role == "command") return true;
  // It gives up what it does not use, and a call that only takes rights away cannot fail.
  if (fault.role == "counter") return false;
  static const std::set<std::string> kCalls{"unshare",    "setns",     "clone3",      "mount_setattr",
                                            "move_mount", "fsconfig",  "fsmount",     "open_tree",
                                            "setresuid",  "setresgid", "capset",      "capget",
                                            "pivot_root", "seccomp",   "write_cgroup"};
  return kCalls.contains(fault.call);
}

FaultCase parse_fault(const std::string& text) {
  FaultCase fault;
  std::istringstream words(text);
  for (std::string* word : {&fault.run, &fault.role, &fault.call, &fault.index, &fault.what})
    std::getline(words, *word, ':');
  return fault;
}

std::vector<FaultCase> faults_in(const std::string& report, const std::string& run) {
  std::vector<FaultCase> faults;
  std::istringstream lines(report);
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    FaultCase fault;
    fault.run = run;
    if (!(words >> word >> fault.role >> fault.call >> fault.index) || word != "call") continue;
    // Of the many that set a process's own handlers back one is as good as the other.
    bool again = fault.call == "rt_sigaction" && fault.role + fault.call == last;
    // So are the files of an image that are copied one by one.
    const int index = std::atoi(fault.index.c_str());
    again = again || (index >= 100 && index % 10 != 0);
    last = fault.role + fault.call;
    if (again) continue;
    fault.what = "SIGKILL";
    faults.push_back(fault);
    // What a tool of the host makes of an error is its own matter, and EIO from a pty is its end (pty(7)).
    if (fault.role == "tool" || (fault.role == "sbxrun" && fault.call == "read" && run == "terminal"))
      continue;
    const auto errnos = plausible().find(fault.call);
    if (errnos == plausible().end()) continue;
    for (const std::string& name : errnos->second) {
      fault.what = name;
      faults.push_back(fault);
    }
  }
  return faults;
}

}  // namespace sbx::test
