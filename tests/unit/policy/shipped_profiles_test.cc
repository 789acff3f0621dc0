// The shipped seccomp profiles say what the threat model promises. seccomp_filter_test.cc and its neighbours
// ask the kernel.
#include <sys/socket.h>

#include <set>

#include "filter_simulator.h"
#include "policy_fixture.h"

namespace sbx {
namespace {

using namespace testing;

SeccompProfile shipped_profile(const std::string& name) {
  const std::string path = shipped_policies() + "/seccomp/" + name + ".yaml";
  const Result<SeccompProfile> profile = parse_seccomp_profile(path, read_text(path));
  REQUIRE_MESSAGE(profile, error_of(profile));
  return *profile;
}

Filter shipped_filter(const std::string& name) {
  const Result<std::string> bytes = compile_seccomp(shipped_profile(name));
  REQUIRE_MESSAGE(bytes, error_of(bytes));
  return Filter(*bytes);
}

TEST_CASE(
    "every name in the shipped profiles is a call of this machine, and groups have names of their own") {
  for (const char* name : kShippedNames) {
    const SeccompProfile profile = shipped_profile(name);
    CHECK(profile.name == name);
    CHECK(profile.default_error == EPERM);
    std::set<std::string> groups;
    for (const SeccompGroup& group : profile.groups) {
      CHECK_MESSAGE(groups.insert(group.name).second, group.name);
      for (const SeccompRule& rule : group.rules) {
        CHECK_MESSAGE(resolve_syscall(rule.syscall).kind == SyscallKind::native, rule.syscall);
      }
    }
  }
}

TEST_CASE("the shipped profiles decide about every call that we know") {
  const std::vector<std::string> table = syscall_table();
  for (const char* name : kShippedNames) {
    std::set<std::string> named;
    for (const SeccompGroup& group : shipped_profile(name).groups) {
      for (const SeccompRule& rule : group.rules) named.insert(rule.syscall);
    }
    // A newer libseccomp may know more: those calls get the default error until somebody decides.
    for (std::uint32_t number = 0; number <= kNewerSyscalls.back().number; ++number) {
      if (!table[number].empty()) CHECK_MESSAGE(named.contains(table[number]), name << ": " << table[number]);
    }
  }
}

// Values that rules look at, and such that try to get around them.
std::vector<Arguments> probes() {
  static constexpr std::uint64_t kValues[] = {
      0,      1,      2,          3,          6,          8,          10,      16,         26,
      31,     35,     38,         40,         41,         42,         43,      48,         52,
      58,     62,     255,        256,        0x20000,    0x20008,    0x40000, 0xffffffff, 0x5412,
      0x541c, 0x5423, 0x40086602, 0x401c5820, 0x10000000, 0x7e020080, 0100,    020000000,  04755,
      02755,  0644,   020666,     0x80002,    ~0ULL};
  std::vector<Arguments> list;
  for (const std::uint64_t a : kValues) {
    for (const std::uint64_t b : kValues) {
      list.push_back({a, b, a, b, a, b});
      list.push_back({b, a, a, b, b, a});
      list.push_back({a | 1ULL << 32U, b | 1ULL << 63U, b, a | 1ULL << 40U, a, b});
    }
  }
  return list;
}

TEST_CASE("the compiled shipped filters do what their profiles mean") {
  const std::vector<Arguments> arguments = probes();
  for (const char* name : kShippedNames) {
    CAPTURE(name);
    const SeccompProfile profile = shipped_profile(name);
    const Filter filter = shipped_filter(name);
    const Meaning meaning(profile);
    CHECK(filter.size() < 512);
    for (std::uint32_t number = 0; number < 1100; ++number) {
      REQUIRE(filter.answer(number) == meaning.of(number));
    }
    std::set<std::string> conditional;
    for (const SeccompGroup& group : profile.groups) {
      for (const SeccompRule& rule : group.rules) {
        if (!rule.conditions.empty()) conditional.insert(rule.syscall);
      }
    }
    for (const std::string& call : conditional) {
      CAPTURE(call);
      const std::uint32_t number = number_of(call);
      for (const Arguments& probe : arguments) {
        REQUIRE(filter.answer(number, probe) == meaning.of(number, probe));
      }
    }
  }
}

TEST_CASE("what strict allows default allows, and what default allows permissive allows") {
  const std::vector<Arguments> arguments = probes();
  const Filter strict = shipped_filter("strict");
  const Filter normal = shipped_filter("default");
  const Filter permissive = shipped_filter("permissive");
  const std::size_t numbers = syscall_table().size();
  for (std::uint32_t number = 0; number < numbers; ++number) {
    for (std::size_t i = 0; i < arguments.size(); i += 7) {
      CAPTURE(number);
      const bool in_default = normal.answer(number, arguments[i]) == SECCOMP_RET_ALLOW;
      if (strict.answer(number, arguments[i]) == SECCOMP_RET_ALLOW) REQUIRE(in_default);
      if (in_default) REQUIRE(permissive.answer(number, arguments[i]) == SECCOMP_RET_ALLOW);
    }
  }
}

TEST_CASE("no shipped profile allows what could reach beyond the sandbox, whatever the arguments") {
  static constexpr const char* kNever[] = {"unshare",
                                           "setns",
                                           "mount",
                                           "umount2",
                                           "mount_setattr",
                                           "move_mount",
                                           "open_tree",
                                           "open_tree_attr",
                                           "fsopen",
                                           "fsconfig",
                                           "fsmount",
                                           "fspick",
                                           "pivot_root",
                                           "chroot",
                                           "keyctl",
                                           "add_key",
                                           "request_key",
                                           "bpf",
                                           "perf_event_open",
                                           "userfaultfd",
                                           "io_uring_setup",
                                           "io_uring_enter",
                                           "io_uring_register",
                                           "fanotify_init",
                                           "fanotify_mark",
                                           "open_by_handle_at",
                                           "name_to_handle_at",
                                           "kexec_load",
                                           "kexec_file_load",
                                           "init_module",
                                           "finit_module",
                                           "delete_module",
                                           "reboot",
                                           "swapon",
                                           "swapoff",
                                           "acct",
                                           "syslog",
                                           "settimeofday",
                                           "clock_settime",
                                           "clock_adjtime",
                                           "adjtimex",
                                           "iopl",
                                           "ioperm",
                                           "quotactl",
                                           "quotactl_fd",
                                           "lookup_dcookie",
                                           "nfsservctl",
                                           "setgroups",
                                           "sethostname",
                                           "setdomainname",
                                           "vhangup",
                                           "process_madvise",
                                           "move_pages",
                                           "migrate_pages",
                                           "memfd_secret",
                                           "mbind",
                                           "set_mempolicy_home_node",
                                           "uselib"};
  const std::vector<Arguments> arguments = probes();
  for (const char* name : kShippedNames) {
    const Filter filter = shipped_filter(name);
    const auto always = [&](const char* call, int error_number) {
      CAPTURE(call);
      for (std::size_t i = 0; i < arguments.size(); i += 5) {
        REQUIRE(filter.answer(number_of(call), arguments[i]) == refusal(error_number));
      }
    };
    for (const char* call : kNever) {
      if (std::string_view(call) != "open_tree_attr") always(call, EPERM);
    }
    for (const char* call :
         {"clone3", "openat2", "file_setattr", "open_tree_attr", "statmount", "listmount", "setxattrat",
          "io_setup", "io_destroy", "io_submit", "io_cancel", "io_getevents", "io_pgetevents"}) {
      always(call, ENOSYS);
    }
  }
}

TEST_CASE("the rare calls are where the policies say") {
  const Filter strict = shipped_filter("strict");
  const Filter normal = shipped_filter("default");
  const Filter permissive = shipped_filter("permissive");
  const auto allows = [](const Filter& filter, const char* call) {
    return filter.answer(number_of(call)) == SECCOMP_RET_ALLOW;
  };
  for (const char* call : {"ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd"}) {
    CAPTURE(call);
    CHECK_FALSE(allows(strict, call));
    CHECK(allows(normal, call));
    CHECK(allows(permissive, call));
  }
  for (const char* call : {"modify_ldt", "vmsplice"}) {
    CAPTURE(call);
    CHECK_FALSE(allows(strict, call));
    CHECK_FALSE(allows(normal, call));
    CHECK(allows(permissive, call));
  }
  const auto socket = [](const Filter& filter, std::uint64_t family) {
    return filter.answer(number_of("socket"), {family, SOCK_STREAM, 0});
  };
  for (const std::uint64_t family : {std::uint64_t{AF_INET}, std::uint64_t{AF_INET6}}) {
    CHECK(socket(strict, family) == refusal(EAFNOSUPPORT));
    CHECK(socket(normal, family) == SECCOMP_RET_ALLOW);
    CHECK(socket(permissive, family) == SECCOMP_RET_ALLOW);
  }
  CHECK(socket(strict, AF_NETLINK) == refusal(EAFNOSUPPORT));
  CHECK(socket(normal, AF_NETLINK) == refusal(EAFNOSUPPORT));
  CHECK(socket(permissive, AF_NETLINK) == SECCOMP_RET_ALLOW);
}

TEST_CASE("what init needs is allowed in every shipped profile") {
  static constexpr const char* kCalls[] = {"execve",         "execveat",
                                           "vfork",          "wait4",
                                           "waitid",         "ppoll",
                                           "poll",           "recvmsg",
                                           "sendmsg",        "setresuid",
                                           "setresgid",      "capset",
                                           "close_range",    "close",
                                           "dup2",           "dup3",
                                           "fcntl",          "fstat",
                                           "read",           "write",
                                           "setsid",         "kill",
                                           "mmap",           "munmap",
                                           "chdir",          "sched_setaffinity",
                                           "rt_sigprocmask", "rt_sigaction",
                                           "signalfd4",      "clock_gettime",
                                           "pidfd_open",     "exit_group"};
  constexpr std::uint64_t kSpawn = 0x4111;  // CLONE_VM | CLONE_VFORK | SIGCHLD
  for (const char* name : kShippedNames) {
    const Filter filter = shipped_filter(name);
    for (const char* call : kCalls) {
      CAPTURE(call);
      CHECK(filter.answer(number_of(call)) == SECCOMP_RET_ALLOW);
    }
    CHECK(filter.answer(number_of("clone"), {kSpawn}) == SECCOMP_RET_ALLOW);
    CHECK(filter.answer(number_of("prctl"), {4 /* PR_SET_DUMPABLE */, 0}) == SECCOMP_RET_ALLOW);
    CHECK(filter.answer(number_of("openat"), {0, 0, 02400402 /* O_RDWR | O_NOCTTY | O_CLOEXEC */}) ==
          SECCOMP_RET_ALLOW);
    // TIOCSCTTY, TIOCSPTLCK, TIOCGPTN, TIOCGPTPEER, TIOCSWINSZ
    for (const std::uint64_t request : {0x540eULL, 0x40045431ULL, 0x80045430ULL, 0x5441ULL, 0x5414ULL}) {
      CHECK(filter.answer(number_of("ioctl"), {3, request}) == SECCOMP_RET_ALLOW);
    }
  }
}

}  // namespace
}  // namespace sbx
