// Loads the shipped filters into the kernel, each probe in a process of its own, and makes the calls. Attacks
// have their control: that the same call does something else without the filter.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "filter_simulator.h"
#include "os/raw.h"
#include "policy_fixture.h"

namespace sbx {
namespace {

using namespace testing;
using raw::call;
using raw::pointer;

constexpr long kHighBits = 0x7fff'ffff'0000'0000;

// Beyond every errno and every small result: "ended by this signal".
constexpr long kKilled = -100'000;

std::string shipped_filter(const std::string& name) {
  const std::string path = shipped_policies() + "/seccomp/" + name + ".yaml";
  return compile_seccomp(parse_seccomp_profile(path, read_text(path)).value()).value();
}

bool load_filter(const std::string& filter) {
  const rlimit no_core{0, 0};
  (void)setrlimit(RLIMIT_CORE, &no_core);
  sock_fprog program{};
  program.len = static_cast<unsigned short>(filter.size() / sizeof(sock_filter));
  program.filter = reinterpret_cast<sock_filter*>(const_cast<char*>(filter.data()));
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, pointer(&program)) == 0;
}

// What `probe` returns in a child under `filter` (without one where it is empty), or kKilled - signal.
long in_child(const std::string& filter, const std::function<long()>& probe) {
  int pipe_fds[2] = {-1, -1};
  REQUIRE(pipe2(pipe_fds, O_CLOEXEC) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    for (const int fatal : {SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGFPE})
      (void)signal(fatal, SIG_DFL);  // doctest's
    if (!filter.empty() && !load_filter(filter)) _exit(99);
    const long result = probe();
    _exit(call(SYS_write, pipe_fds[1], pointer(&result), sizeof result) == sizeof result ? 0 : 98);
  }
  (void)close(pipe_fds[1]);
  long result = 0;
  const ssize_t size = read(pipe_fds[0], &result, sizeof result);
  (void)close(pipe_fds[0]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  if (WIFSIGNALED(status)) return kKilled - WTERMSIG(status);
  REQUIRE(WEXITSTATUS(status) == 0);
  REQUIRE(size == sizeof result);
  return result;
}

// One of the three shipped filters, in the kernel.
struct Loaded {
  std::string name;
  std::string filter;

  [[nodiscard]] long run(const std::function<long()>& probe) const { return in_child(filter, probe); }
  [[nodiscard]] long run(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) const {
    return run([=] { return call(number, a, b, c, d, e); });
  }
  [[nodiscard]] bool is(std::string_view other) const { return name == other; }
};

const std::vector<Loaded>& loaded() {
  static const std::vector<Loaded> list = [] {
    std::vector<Loaded> filters;
    for (const char* name : kShippedNames) filters.push_back({name, shipped_filter(name)});
    return filters;
  }();
  return list;
}

#define FOR_EACH_FILTER                  \
  for (const Loaded& loaded_ : loaded()) \
    for (bool once = true; once;)        \
      for (INFO("profile " << loaded_.name); once; once = false)

TEST_CASE("ordinary calls work under every shipped filter") {
  FOR_EACH_FILTER {
    CHECK(loaded_.run(SYS_getpid) > 0);
    CHECK(loaded_.run(SYS_openat, AT_FDCWD, pointer("/"), O_RDONLY | O_DIRECTORY) >= 0);
    CHECK(loaded_.run(SYS_memfd_create, pointer("x"), 0) >= 0);
    CHECK(loaded_.run(SYS_sched_getaffinity, 0, 0, 0) == -EINVAL);
    CHECK(loaded_.run(SYS_prctl, PR_GET_DUMPABLE) >= 0);
    CHECK(loaded_.run(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, 0) == -EFAULT);
    CHECK(loaded_.run(SYS_landlock_create_ruleset, 0, 0, 1 /* version */) != -EPERM);
    CHECK(loaded_.run(SYS_inotify_init1, 0) >= 0);
    CHECK(loaded_.run(SYS_io_setup, 0, 0) != -EPERM);
    CHECK(loaded_.run(SYS_shmget, 0, 0, 0) == -EINVAL);
  }
}

TEST_CASE("every refused number gets its error from the kernel, too") {
  FOR_EACH_FILTER {
    const Filter simulated(loaded_.filter);
    // Only calls that the simulator says are refused are made: a broken filter must not reboot the machine.
    std::vector<std::uint32_t> refused;
    for (std::uint32_t number = 0; number < 1100; ++number) {
      // uretprobe and uprobe: since Linux 6.14 no filter sees them, and outside the kernel's own trampoline
      // they end in SIGILL.
      if (number == 335 || number == 336) continue;
      if ((simulated.answer(number) & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO)
        refused.push_back(number);
    }
    CHECK(refused.size() > 600);
    const long mismatch = loaded_.run([&] {
      for (const std::uint32_t number : refused) {
        const auto expected = -static_cast<long>(simulated.answer(number) & SECCOMP_RET_DATA);
        if (call(static_cast<long>(number)) != expected) return static_cast<long>(number);
      }
      return -1L;
    });
    CHECK(mismatch == -1);
  }
}

TEST_CASE("unknown numbers give ENOSYS") {
  FOR_EACH_FILTER {
    for (const long number : {471L, 1000L, 0x3fffffffL, -1L}) CHECK(loaded_.run(number) == -ENOSYS);
  }
}

TEST_CASE("no process makes a namespace") {
  static constexpr long kFlags[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                    CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET, CLONE_NEWTIME};
  FOR_EACH_FILTER {
    for (const long flag : kFlags) {
      CAPTURE(flag);
      CHECK(loaded_.run(SYS_clone, flag | SIGCHLD) == -EPERM);
      CHECK(loaded_.run(SYS_clone, flag | SIGCHLD | kHighBits) == -EPERM);
      CHECK(loaded_.run(SYS_unshare, flag) == -EPERM);
      CHECK(loaded_.run(SYS_setns, 0, flag) == -EPERM);
    }
    CHECK(loaded_.run(SYS_clone3, 0, 0) == -ENOSYS);
    clone_args arguments{};
    arguments.flags = CLONE_NEWUSER;
    CHECK(loaded_.run(SYS_clone3, pointer(&arguments), sizeof arguments) == -ENOSYS);
  }
}

long wait_for(pid_t child) {
  int status = 0;
  if (waitpid(child, &status, 0) != child) return -errno;
  return WIFEXITED(status) ? WEXITSTATUS(status) : kKilled - WTERMSIG(status);
}

TEST_CASE("processes and threads start in every way that C libraries use") {
  FOR_EACH_FILTER {
    CHECK(loaded_.run([] {
      const long child = call(SYS_clone, SIGCHLD);
      if (child == 0) (void)call(SYS_exit_group, 7);
      return child < 0 ? child : wait_for(static_cast<pid_t>(child));
    }) == 7);
    CHECK(loaded_.run([] {
      const long child = call(SYS_fork);
      if (child == 0) (void)call(SYS_exit_group, 8);
      return child < 0 ? child : wait_for(static_cast<pid_t>(child));
    }) == 8);
    // glibc: clone3 with CLONE_VM and CLONE_VFORK, then clone with the same.
    CHECK(loaded_.run([] {
      char program[] = "/bin/sh";
      char option[] = "-c";
      char script[] = "exit 9";
      char* const arguments[] = {program, option, script, nullptr};
      char* const environment[] = {nullptr};
      pid_t child = 0;
      const int error = posix_spawn(&child, program, nullptr, nullptr, arguments, environment);
      return error != 0 ? -static_cast<long>(error) : wait_for(child);
    }) == 9);
    CHECK(loaded_.run([] {
      pthread_t thread{};
      const int error = pthread_create(
          &thread, nullptr, [](void* value) { return value; }, reinterpret_cast<void*>(10));
      if (error != 0) return -static_cast<long>(error);
      void* result = nullptr;
      if (pthread_join(thread, &result) != 0) return -1L;
      return reinterpret_cast<long>(result);
    }) == 10);
  }
}

TEST_CASE("other families than the allowed ones do not exist") {
  FOR_EACH_FILTER {
    for (long family = 0; family < 48; ++family) {
      CAPTURE(family);
      const long result = loaded_.run(SYS_socket, family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      const bool inet = family == AF_INET || family == AF_INET6 || family == AF_NETLINK;
      if (family == AF_UNIX) {
        CHECK(result >= 0);
      } else if (inet && !loaded_.is("strict")) {
        CHECK(result != -EPERM);
        if (family != AF_INET6) CHECK(result >= 0);  // a host may have no IPv6
      } else {
        CHECK(result == -EAFNOSUPPORT);
      }
      // The kernel looks at the low 32 bits alone, and so must the filter.
      CHECK(loaded_.run(SYS_socket, family | kHighBits, SOCK_DGRAM | SOCK_CLOEXEC, 0) == result);
    }
    CHECK(loaded_.run(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, 0) == -EFAULT);
    CHECK(loaded_.run(SYS_socketpair, AF_INET, SOCK_STREAM, 0, 0) == -EAFNOSUPPORT);
    CHECK(loaded_.run(SYS_socket, AF_NETLINK, SOCK_RAW, 12 /* NETLINK_NETFILTER */) == -EAFNOSUPPORT);
  }
}

TEST_CASE("internet sockets are TCP, UDP and ping alone") {
  for (const Loaded& filter : loaded()) {
    if (filter.is("strict")) continue;
    CAPTURE(filter.name);
    CHECK(filter.run(SYS_socket, AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 6) >= 0);
    CHECK(filter.run(SYS_socket, AF_INET, SOCK_DGRAM, 17) >= 0);
    CHECK(filter.run(SYS_socket, AF_INET, SOCK_STREAM, 132 /* SCTP */) == -EPROTONOSUPPORT);
    CHECK(filter.run(SYS_socket, AF_INET, SOCK_STREAM, 262 /* MPTCP */) == -EPROTONOSUPPORT);
    CHECK(filter.run(SYS_socket, AF_INET6, SOCK_DGRAM, 115 /* L2TP */) == -EPROTONOSUPPORT);
    CHECK(filter.run(SYS_socket, AF_INET, 6 /* SOCK_DCCP */, 0) == -EPROTONOSUPPORT);
    CHECK(filter.run(SYS_socket, AF_INET, 10 /* SOCK_PACKET */, 0) == -EPROTONOSUPPORT);
    CHECK(filter.run(SYS_socket, AF_INET, SOCK_RAW, 1) == -EPERM);
  }
}

TEST_CASE("calls on terminals and files that reach beyond are refused, high bits or not") {
  // On this descriptor the kernel itself would say ENOTTY, or EBADF for a number that is no descriptor.
  const long fd = memfd_create("probe", MFD_CLOEXEC);
  REQUIRE(fd >= 0);
  for (const long request : {0x5412L, 0x541cL, 0x5423L, 0x40086602L, 0x401c5820L}) {
    CAPTURE(request);
    CHECK(in_child("", [&] { return call(SYS_ioctl, -1, request, 0); }) == -EBADF);
    FOR_EACH_FILTER {
      CHECK(loaded_.run(SYS_ioctl, fd, request, 0) == -EPERM);
      CHECK(loaded_.run(SYS_ioctl, fd, request | kHighBits, 0) == -EPERM);
    }
  }
  FOR_EACH_FILTER {
    CHECK(loaded_.run(SYS_ioctl, fd, TIOCGWINSZ, 0) == -ENOTTY);
    CHECK(loaded_.run(SYS_ioctl, -1, TIOCSCTTY, 0) == -EBADF);
  }
  (void)close(static_cast<int>(fd));
}

TEST_CASE("a pty can be made and used as a controlling terminal") {
  FOR_EACH_FILTER {
    const long result = loaded_.run([] {
      const long master = call(SYS_openat, AT_FDCWD, pointer("/dev/ptmx"), O_RDWR | O_NOCTTY | O_CLOEXEC);
      if (master < 0) return 0L;  // a host without ptys
      const int unlocked = 0;
      if (const long error = call(SYS_ioctl, master, TIOCSPTLCK, pointer(&unlocked)); error < 0) return error;
      const winsize size{24, 80, 0, 0};
      if (const long error = call(SYS_ioctl, master, TIOCSWINSZ, pointer(&size)); error < 0) return error;
      const long slave = call(SYS_ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
      if (slave < 0) return slave;
      if (const long error = call(SYS_setsid); error < 0) return error;
      if (const long error = call(SYS_ioctl, slave, TIOCSCTTY, 0); error < 0) return error;
      const long typed = call(SYS_ioctl, slave, TIOCSTI, pointer("x"));
      return typed == -EPERM ? 0L : -1000L;
    });
    CHECK(result == 0);
  }
}

TEST_CASE("TCP_ULP cannot be set") {
  FOR_EACH_FILTER {
    const auto set = [&](long level, long option) {
      return loaded_.run([=] {
        const long fd = call(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
        return fd < 0 ? fd : call(SYS_setsockopt, fd, level, option, pointer("tls"), 3);
      });
    };
    CHECK(set(6, 31) == -EPERM);
    CHECK(set(6 | kHighBits, 31 | kHighBits) == -EPERM);
    CHECK(set(6, 1) == -EOPNOTSUPP);
    CHECK(set(SOL_SOCKET, 31) != -EPERM);
  }
}

TEST_CASE("personality and prctl keep to the harmless") {
  FOR_EACH_FILTER {
    for (const long value : {0L, 8L, 0x20000L, 0x20008L, 0xffffffffL})
      CHECK(loaded_.run(SYS_personality, value) >= 0);
    for (const long value : {4L, 0x400000L, 0x100000L}) CHECK(loaded_.run(SYS_personality, value) == -EPERM);
    const long no_randomisation = loaded_.run(SYS_personality, 0x40000);
    CHECK((no_randomisation == -EPERM) == !loaded_.is("permissive"));
    CHECK(loaded_.run(SYS_prctl, PR_SET_MM, 0, 0, 0, 0) == -EPERM);
    CHECK(loaded_.run(SYS_prctl, PR_SET_MM | kHighBits, 0, 0, 0, 0) == -EPERM);
    CHECK(loaded_.run(SYS_prctl, 62 /* PR_SCHED_CORE */, 0, 0, 0, 0) == -EPERM);
    CHECK(loaded_.run(SYS_prctl, PR_SET_NAME, pointer("x")) == 0);
  }
}

TEST_CASE("no file with a set-id bit, and no device, can be made") {
  const TempDirectory place;
  const std::string file = place.write("file", "");
  const std::string made = place.path() + "/made";
  const long fd = open(file.c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(fd >= 0);
  const auto has_set_id = [&] {
    struct stat status {};
    return stat(file.c_str(), &status) == 0 && (status.st_mode & 06000U) != 0;
  };
  const std::vector<long> modes{04755, 02755, 06777, 04000, 04755 | kHighBits, 04755 | 0x100000};
  FOR_EACH_FILTER {
    for (const long mode : modes) {
      CAPTURE(mode);
      CHECK(loaded_.run(SYS_chmod, pointer(file.c_str()), mode) == -EPERM);
      CHECK(loaded_.run(SYS_fchmod, fd, mode) == -EPERM);
      CHECK(loaded_.run(SYS_fchmodat, AT_FDCWD, pointer(file.c_str()), mode) == -EPERM);
      CHECK(loaded_.run(452 /* fchmodat2 */, AT_FDCWD, pointer(file.c_str()), mode, 0) == -EPERM);
      CHECK(loaded_.run(SYS_creat, pointer(made.c_str()), mode) == -EPERM);
      CHECK(loaded_.run(SYS_mknod, pointer(made.c_str()), S_IFREG | mode, 0) == -EPERM);
      CHECK(loaded_.run(SYS_mknodat, AT_FDCWD, pointer(made.c_str()), S_IFREG | mode, 0) == -EPERM);
      for (const long flags : {O_CREAT | O_WRONLY, O_CREAT | O_EXCL | O_RDWR, O_TMPFILE | O_RDWR}) {
        const std::string& path = (flags & O_TMPFILE) == O_TMPFILE ? place.path() : made;
        CHECK(loaded_.run(SYS_open, pointer(path.c_str()), flags, mode) == -EPERM);
        CHECK(loaded_.run(SYS_openat, AT_FDCWD, pointer(path.c_str()), flags, mode) == -EPERM);
        CHECK(loaded_.run(SYS_openat, AT_FDCWD, pointer(path.c_str()), flags | kHighBits, mode) == -EPERM);
      }
    }
    CHECK_FALSE(has_set_id());
    for (const long type : {S_IFCHR, S_IFBLK}) {
      CHECK(loaded_.run(SYS_mknod, pointer(made.c_str()), type | 0644, 0) == -EPERM);
      CHECK(loaded_.run(SYS_mknodat, AT_FDCWD, pointer(made.c_str()), type | 0644, 0) == -EPERM);
    }
    CHECK_FALSE(std::filesystem::exists(made));
    CHECK(loaded_.run(SYS_openat2, AT_FDCWD, 0, 0, 0) == -ENOSYS);
  }
  // The control: without the filter it is as easy as that.
  CHECK(in_child("", [&] { return call(SYS_chmod, pointer(file.c_str()), 04755); }) == 0);
  CHECK(has_set_id());
  (void)close(static_cast<int>(fd));
}

TEST_CASE("files without a set-id bit are made and changed as ever") {
  const TempDirectory place;
  const std::string file = place.write("file", "");
  FOR_EACH_FILTER {
    const std::string base = place.path() + "/" + loaded_.name;
    const auto path = [&](const char* name) { return base + name; };
    CHECK(loaded_.run(SYS_chmod, pointer(file.c_str()), 01755) == 0);
    CHECK(loaded_.run(SYS_fchmodat, AT_FDCWD, pointer(file.c_str()), 0640) == 0);
    CHECK(loaded_.run(SYS_open, pointer(path("1").c_str()), O_CREAT | O_WRONLY, 0644) >= 0);
    CHECK(loaded_.run(SYS_openat, AT_FDCWD, pointer(path("2").c_str()), O_CREAT | O_WRONLY, 0777) >= 0);
    CHECK(loaded_.run(SYS_creat, pointer(path("3").c_str()), 0600) >= 0);
    CHECK(loaded_.run(SYS_mknod, pointer(path("4").c_str()), S_IFIFO | 0600, 0) == 0);
    CHECK(loaded_.run(SYS_mknodat, AT_FDCWD, pointer(path("5").c_str()), S_IFREG | 0600, 0) == 0);
    CHECK(loaded_.run(SYS_mkdir, pointer(path("6").c_str()), 0755) == 0);
    // Without O_CREAT the kernel does not read the mode, and what is in the register is anything.
    CHECK(loaded_.run(SYS_open, pointer(file.c_str()), O_RDONLY, -1) >= 0);
    CHECK(loaded_.run(SYS_openat, AT_FDCWD, pointer(file.c_str()), O_RDONLY | O_CLOEXEC, 06777) >= 0);
    const long temporary =
        loaded_.run(SYS_openat, AT_FDCWD, pointer(place.path().c_str()), O_TMPFILE | O_RDWR, 0600);
    CHECK((temporary >= 0 || temporary == -EOPNOTSUPP));
  }
}

TEST_CASE("tracing works for an agent and not for a grader") {
  FOR_EACH_FILTER {
    CHECK(loaded_.run(SYS_ptrace, PTRACE_TRACEME) == (loaded_.is("strict") ? -EPERM : 0));
    const long read = loaded_.run([] {
      char from[4] = "abc";
      char to[4] = {};
      const iovec local{to, 4};
      const iovec remote{from, 4};
      return call(SYS_process_vm_readv, call(SYS_getpid), pointer(&local), 1, pointer(&remote), 1, 0);
    });
    CHECK(read == (loaded_.is("strict") ? -EPERM : 4));
  }
}

#ifdef __x86_64__
constexpr long kX32Bit = 0x40000000;

TEST_CASE("x32 calls kill") {
  CHECK(in_child("", [] { return call(SYS_getpid | kX32Bit); }) > kKilled);
  FOR_EACH_FILTER {
    for (const long number : {SYS_getpid | kX32Bit, 512L | kX32Bit, kX32Bit, 0x7fffffffL, -2L}) {
      CAPTURE(number);
      CHECK(loaded_.run(number) == kKilled - SIGSYS);
    }
  }
}

long call_i386(long number) {
  long result = number;
  __asm__ volatile("int $0x80" : "+a"(result) : "b"(0), "c"(0), "d"(0) : "r8", "r9", "r10", "r11", "memory");
  return result;
}

TEST_CASE("i386 calls kill") {
  constexpr long kGetpid = 20;
  const long without = in_child("", [] { return call_i386(kGetpid); });
  if (without < 0) {
    MESSAGE("this kernel has no i386 calls: nothing to refuse");
    return;
  }
  FOR_EACH_FILTER {
    CHECK(loaded_.run([] { return call_i386(kGetpid); }) == kKilled - SIGSYS);
    CHECK(loaded_.run([] { return call_i386(1000); }) == kKilled - SIGSYS);
  }
}
#endif

TEST_CASE("the filter stays over exec and cannot be taken off or widened") {
  FOR_EACH_FILTER {
    const long result = loaded_.run([&] {
      const std::string all_allowed = [] {
        const sock_filter allow{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
        return std::string(reinterpret_cast<const char*>(&allow), sizeof allow);
      }();
      if (!load_filter(all_allowed)) return -1000L;
      return call(SYS_unshare, CLONE_NEWUTS);
    });
    CHECK(result == -EPERM);
  }
}

}  // namespace
}  // namespace sbx
