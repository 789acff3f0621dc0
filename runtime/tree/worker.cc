#include "tree/worker.h"

#include <fcntl.h>
#include <grp.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>

#include "os/confined_child.h"
#include "os/file.h"
#include "tree/changes.h"
#include "wire/wire.h"

namespace sbx::tree {
namespace {

constexpr int kFirstFree = kLock + 1;  // behind the answer, /dev/null twice and what a Worker gives
constexpr int kOutOfTheWay = 64;

// As many as two trees of kMostDepth take, where the host lets us.
bool raise_descriptors() {
  rlimit now{};
  if (getrlimit(RLIMIT_NOFILE, &now) != 0) return false;
  now.rlim_cur = std::min<rlim_t>(now.rlim_max, 4ULL * kMostDepth);
  return setrlimit(RLIMIT_NOFILE, &now) == 0;
}

bool keep_one_capability(cap_value_t one) {
  struct Free {
    void operator()(cap_t set) const { (void)cap_free(set); }
  };
  const std::unique_ptr<std::remove_pointer_t<cap_t>, Free> set(cap_init());
  return set && cap_set_flag(set.get(), CAP_PERMITTED, 1, &one, CAP_SET) == 0 &&
         cap_set_flag(set.get(), CAP_EFFECTIVE, 1, &one, CAP_SET) == 0 && cap_set_proc(set.get()) == 0;
}

bool drop_rights(const Worker& worker) {
  if (geteuid() != 0) return true;
  const uid_t owner = worker.owner;
  return setgroups(0, nullptr) == 0 && setresgid(owner, owner, owner) == 0 &&
         prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 && setresuid(owner, owner, owner) == 0 &&
         keep_one_capability(worker.rights == Rights::all_files ? CAP_DAC_OVERRIDE : CAP_DAC_READ_SEARCH);
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
    SCMP_SYS(renameat),  // which glibc makes of renameat2(2) without flags
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

constexpr unsigned kFileClone[] = {0x40049409};  // FICLONE, ioctl_ficlone(2)

// Number by number, so that none is in the place of another: first all out of the way, then each to its own.
// The working directory is `top` already.
bool set_descriptors(int answer, const Worker& worker) {
  const int null = open("/dev/null", O_RDWR);
  if (null < 0) return false;
  std::array<int, kFirstFree> moved{answer, null, null, worker.content_in, worker.content_out, worker.lock};
  for (int& fd : moved) {
    if (fd >= 0) fd = fcntl(fd, F_DUPFD, kOutOfTheWay);
  }
  if (close_range(0, kOutOfTheWay - 1, 0) != 0) return false;
  for (int number = 0; number < kFirstFree; ++number) {
    const int fd = moved[static_cast<std::size_t>(number)];
    if (fd >= 0 && dup2(fd, number) != number) return false;
  }
  return moved[0] >= 0 && moved[1] >= 0 && close_range(kFirstFree, ~0U, 0) == 0;
}

// A handler of this process, which it would run in, could do nothing but fail and be called again.
bool reset_signals() {
  for (const int number : {SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGTERM, SIGINT, SIGHUP}) {
    if (signal(number, SIG_DFL) == SIG_ERR) return false;
  }
  return signal(SIGPIPE, SIG_IGN) != SIG_ERR;
}

bool limit_resources(const Worker& worker) {
  bool done = raise_descriptors() && os::limit_resource(RLIMIT_CORE, 0) &&
              os::limit_resource(RLIMIT_CPU, worker.cpu_seconds);
#if !defined(__SANITIZE_ADDRESS__)
  if (worker.memory_bytes != 0) done = done && os::limit_resource(RLIMIT_AS, worker.memory_bytes);
#endif
  return done;
}

bool confine(int top, const Worker& worker, int answer, pid_t parent) {
  (void)umask(0);
  return reset_signals() && fchdir(top) == 0 && set_descriptors(answer, worker) &&
         (geteuid() != 0 || chroot(".") == 0) && limit_resources(worker) && drop_rights(worker) &&
         os::end_with(parent) && os::allow_calls(kAllowed, kFileClone);
}

bool answer_with(const Work& work) {
  const Result<std::string> done = work();
  wire::Writer out;
  out.put(static_cast<std::uint8_t>(done.has_value()));
  out.put(done ? *done : done.error().text);
  out.put(done ? 0 : done.error().error_number);
  return os::write_all(os::kAnswerDescriptor, std::move(out).take(), "answer").has_value();
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

Result<std::string> work_in(int top, const Worker& worker, const Work& work) {
  const auto confined = [&](int answer, pid_t parent) { return confine(top, worker, answer, parent); };
  const std::string answer = TRY(
      os::answer_of({"worker", kMostWorkAnswer, confined, [&] { return answer_with(work); }, worker.tick}));
  return decode(answer);
}

Result<std::string> work_in(int top, uid_t owner, const Work& work) {
  Worker worker;
  worker.owner = owner;
  return work_in(top, worker, work);
}

}  // namespace sbx::tree
