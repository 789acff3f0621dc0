#include "os/confined.h"

#include <grp.h>
#include <seccomp.h>
#include <unistd.h>

#include "os/confined_child.h"

namespace sbx::os {
namespace {

constexpr uid_t kNobody = 65534;

bool limit_resources() {
  constexpr rlim_t kCpuSeconds = 2;
  bool done = limit_resource(RLIMIT_CPU, kCpuSeconds) && limit_resource(RLIMIT_CORE, 0);
#if !defined(__SANITIZE_ADDRESS__)
  constexpr rlim_t kMemory = 512U << 20U;
  done = done && limit_resource(RLIMIT_AS, kMemory);
#endif
  return done;
}

bool drop_ids() {
  if (geteuid() != 0) return true;
  return setgroups(0, nullptr) == 0 && setresgid(kNobody, kNobody, kNobody) == 0 &&
         setresuid(kNobody, kNobody, kNobody) == 0;
}

// What memory, the answer and the end take. An error and not the end for all others: a reader may try and do
// without.
constexpr int kAllowed[] = {
    SCMP_SYS(write),
    SCMP_SYS(brk),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(exit_group),
    SCMP_SYS(rt_sigreturn),
#if defined(__SANITIZE_ADDRESS__)
    // Before a function that does not return, and to see whether memory is there.
    SCMP_SYS(sigaltstack),
    SCMP_SYS(gettid),
    SCMP_SYS(pipe2),
    SCMP_SYS(close),
#endif
};

bool confine(int answer, pid_t parent) {
  return dup2(answer, kAnswerDescriptor) == kAnswerDescriptor &&
         close_range(kAnswerDescriptor + 1, ~0U, 0) == 0 && limit_resources() && drop_ids() &&
         end_with(parent) && allow_calls(kAllowed);
}

}  // namespace

Result<std::string> call_confined(const std::function<std::string()>& reader) {
  const auto answer = [&] {
    // As much as the pipe holds without being read: the child waits for nobody.
    const std::string text = reader().substr(0, kMostAnswer);
    return write(kAnswerDescriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  };
  return answer_of({"reader", kMostAnswer, confine, answer, {}});
}

}  // namespace sbx::os
