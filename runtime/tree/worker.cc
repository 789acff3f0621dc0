#include "tree/worker.h"

#include <fcntl.h>
#include <grp.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/unique_fd.h"
#include "os/file.h"
#include "os/process_end.h"
#include "tree/changes.h"
#include "wire/wire.h"

namespace sbx::tree {
namespace {

constexpr int kAnswer = 0;  // the descriptor that it is written to; the two others are /dev/null
constexpr int kFirstFree = 3;
constexpr int kNotConfined = 99;
constexpr rlim_t kCpuSeconds = 600;  // more than the largest project takes

bool limit(__rlimit_resource_t resource, rlim_t value) {
  const rlimit both{value, value};
  return setrlimit(resource, &both) == 0;
}

// As many as two trees of kMostDepth take, where the host lets us.
bool raise_descriptors() {
  rlimit now{};
  if (getrlimit(RLIMIT_NOFILE, &now) != 0) return false;
  now.rlim_cur = std::min<rlim_t>(now.rlim_max, 4ULL * kMostDepth);
  return setrlimit(RLIMIT_NOFILE, &now) == 0;
}

bool keep_one_capability() {
  struct Free {
    void operator()(cap_t set) const { (void)cap_free(set); }
  };
  const std::unique_ptr<std::remove_pointer_t<cap_t>, Free> set(cap_init());
  const cap_value_t one = CAP_DAC_OVERRIDE;
  return set && cap_set_flag(set.get(), CAP_PERMITTED, 1, &one, CAP_SET) == 0 &&
         cap_set_flag(set.get(), CAP_EFFECTIVE, 1, &one, CAP_SET) == 0 && cap_set_proc(set.get()) == 0;
}

bool drop_rights(uid_t owner) {
  if (geteuid() != 0) return true;
  return setgroups(0, nullptr) == 0 && setresgid(owner, owner, owner) == 0 &&
         prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 && setresuid(owner, owner, owner) == 0 &&
         keep_one_capability();
}

constexpr int kAllowed[] = {
    // memory, the answer and the end
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(close),
    SCMP_SYS(brk),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(mprotect),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(exit_group),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(getrandom),
    SCMP_SYS(clock_gettime),
    // files
    SCMP_SYS(openat),
    SCMP_SYS(openat2),
    SCMP_SYS(fcntl),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(fstatfs),
    SCMP_SYS(getdents64),
    SCMP_SYS(lseek),
    SCMP_SYS(pread64),
    SCMP_SYS(readlinkat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(copy_file_range),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fchmod),
    SCMP_SYS(utimensat),
    SCMP_SYS(fgetxattr),
    SCMP_SYS(flistxattr),
    SCMP_SYS(fsetxattr),
    SCMP_SYS(fremovexattr),
    SCMP_SYS(mkdirat),
    SCMP_SYS(mknodat),
    SCMP_SYS(linkat),
    SCMP_SYS(symlinkat),
    SCMP_SYS(unlinkat),
    SCMP_SYS(renameat2),
    SCMP_SYS(fsync),
    SCMP_SYS(fdatasync),
    SCMP_SYS(syncfs),
    SCMP_SYS(flock),
#if defined(__SANITIZE_ADDRESS__)
    SCMP_SYS(sigaltstack),
    SCMP_SYS(gettid),
    SCMP_SYS(pipe2),
    SCMP_SYS(process_vm_readv),
#endif
};

constexpr scmp_datum_t kFileClone = 0x40049409;  // FICLONE, ioctl_ficlone(2)

bool allow_files_only() {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  bool done = filter != nullptr;
  for (const int call : kAllowed) done = done && seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) == 0;
  const scmp_arg_cmp clone{1, SCMP_CMP_EQ, kFileClone, 0};
  done = done && seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, &clone) == 0;
  return done && seccomp_load(filter) == 0;
}

// The working directory is `top` already.
bool set_descriptors(int answer) {
  const int null = open("/dev/null", O_RDWR);
  return null >= 0 && dup2(answer, kAnswer) == kAnswer && dup2(null, 1) == 1 && dup2(null, 2) == 2 &&
         close_range(kFirstFree, ~0U, 0) == 0;
}

// A handler of this process, which it would run in, could do nothing but fail and be called again.
bool reset_signals() {
  for (const int number : {SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGTERM, SIGINT, SIGHUP}) {
    if (signal(number, SIG_DFL) == SIG_ERR) return false;
  }
  return signal(SIGPIPE, SIG_IGN) != SIG_ERR;
}

bool confine(int top, int answer, uid_t owner, pid_t parent) {
  (void)umask(0);
  return reset_signals() && fchdir(top) == 0 && set_descriptors(answer) &&
         (geteuid() != 0 || chroot(".") == 0) && raise_descriptors() && limit(RLIMIT_CORE, 0) &&
         limit(RLIMIT_CPU, kCpuSeconds) && drop_rights(owner) &&
         // Behind the change of ids, which clears it; then: is the parent still there?
         prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent && prctl(PR_SET_DUMPABLE, 0) == 0 &&
         prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && allow_files_only();
}

[[noreturn]] void answer_and_end(const std::function<Result<std::string>()>& work) {
  const Result<std::string> done = work();
  wire::Writer out;
  out.put(static_cast<std::uint8_t>(done.has_value()));
  out.put(done ? *done : done.error().text);
  out.put(done ? 0 : done.error().error_number);
  _exit(os::write_all(kAnswer, std::move(out).take(), "answer") ? 0 : 1);
}

Result<std::string> decode(const std::string& bytes) {
  wire::Reader in(bytes);
  const bool done = in.get_bool();
  std::string text = in.get_string();
  const auto number = in.get<int>();
  TRY(in.finish("the answer of a worker"));
  if (!done) return fail(Error{std::move(text), number});
  return text;
}

}  // namespace

Result<std::string> work_in(int top, uid_t owner, const std::function<Result<std::string>()>& work) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return fail(system_error("pipe2", "answer", errno));
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) return fail(system_error("fork", "worker", errno));
  if (child == 0) {
    if (!confine(top, writing.get(), owner, parent)) _exit(kNotConfined);
    answer_and_end(work);
  }
  writing.reset();
  const Result<std::string> answer = os::read_all(reading.get(), "answer", kMostWorkAnswer);
  const std::string how = os::how_it_ended(child);
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return fail(system_error("waitpid", "worker", errno));
  }
  if (status == 0 && !answer) return fail(answer.error());
  if (status == 0) return decode(*answer);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNotConfined)
    return fail("its worker could not be confined");
  return fail("its worker " + how);
}

}  // namespace sbx::tree
