// What the kernel counts for each user: there is an end to it, and the user is nobody else's (that others are
// not short of it then is in tests/integration/isolation_pair_test.cc). Outside, where the attacker is root,
// the machine's own programs would go short, so none is tried there.
#include <fcntl.h>
#include <mqueue.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "attempts.h"

namespace sbx::attack {
namespace {

constexpr int kEndless = 1'000'000;

// Takes more until there is no more.
long take_all(long (*more)()) {
  (void)alarm(60);  // an emulated machine is slow
  for (int i = 0; i < kEndless; ++i) {
    if (more() < 0) return -1;
  }
  return 0;
}

long queue_signal() {
  sigset_t blocked;
  (void)sigemptyset(&blocked);
  (void)sigaddset(&blocked, SIGRTMIN);
  (void)sigprocmask(SIG_BLOCK, &blocked, nullptr);
  return sigqueue(getpid(), SIGRTMIN, {});
}

std::string queue_name(int number) { return "/sbx-user-" + std::to_string(number); }

// What was made is removed, for the attempts that follow.
long fill_queues() {
  mq_attr attributes{};
  attributes.mq_maxmsg = 1;
  attributes.mq_msgsize = 8192;
  int number = 0;
  mqd_t queue = 0;
  while (number < kEndless) {
    queue = mq_open(queue_name(number).c_str(), O_CREAT | O_RDWR, 0600, &attributes);
    if (queue < 0) break;
    (void)mq_close(queue);  // the queue stays, and counts
    ++number;
  }
  const int error = queue < 0 ? errno : 0;
  while (number-- > 0) (void)mq_unlink(queue_name(number).c_str());
  return error == 0 ? 0 : fail(error);
}

// More descriptors than files may be open: a pipe's ends wait in no queue.
long watch_many() {
  const int fd = inotify_init1(0);
  return fd < 0 ? -1 : take_all([] { return static_cast<long>(inotify_init1(0)); });
}

// Each ends with this process: they are killed when there is an end to them.
long fork_many() {
  (void)alarm(60);  // an emulated machine is slow
  (void)setpgid(0, 0);
  (void)signal(SIGTERM, SIG_IGN);
  long made = 0;
  int error = 0;
  while (made < 10'000) {
    const pid_t pid = fork();
    if (pid == 0) {
      (void)signal(SIGTERM, SIG_DFL);
      while (true) (void)pause();
    }
    if (pid < 0) {
      error = errno;
      break;
    }
    ++made;
  }
  (void)kill(0, SIGTERM);
  return error == 0 ? 0 : fail(error);
}

long lock_memory() {
  constexpr std::size_t kSize = std::size_t{64} << 20U;
  void* memory = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return -1;
  return syscall(SYS_mlock2, memory, kSize, 1 /* MLOCK_ONFAULT */);
}

long raise_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
  limit.rlim_max *= 2;
  return setrlimit(RLIMIT_NOFILE, &limit);
}

// Above what fs.pipe-max-size allows those without rights.
long enlarge_pipe() {
  int ends[2];
  return pipe(ends) != 0 ? -1 : fcntl(ends[0], F_SETPIPE_SZ, 64 << 20);
}

// Keys until the user's quota is full.
long add_keys() {
  static int number = 0;
  const std::string name = "sbx-" + std::to_string(number++);
  return syscall(SYS_add_key, "user", name.c_str(), "x", 1, -3 /* of the session */);
}

long drop_priority_back() {
  if (setpriority(PRIO_PROCESS, 0, 10) != 0) return -1;
  return setpriority(PRIO_PROCESS, 0, -10);
}

constexpr const char* kCount = "an id of its own: the count is nobody else's";
constexpr const char* kShort = "not tried: root's own programs would go short";

constexpr Attack counted(std::string_view name, std::string_view aim, std::string_view inside,
                         long (*attempt)()) {
  return {
      .name = name, .aim = aim, .control = kCount, .inside = inside, .outside = kShort, .attempt = attempt};
}

constexpr Attack kAttacks[] = {
    counted("user_limits.inotify", "watch files without end", "EMFILE", watch_many),
    counted("user_limits.signals", "have signals wait without end", "EAGAIN",
            [] { return take_all(queue_signal); }),
    counted("user_limits.queues", "make POSIX message queues without end", "EMFILE", fill_queues),
    {.name = "user_limits.processes",
     .aim = "make processes without end",
     .control = "cgroup: pids",
     .inside = "EAGAIN",
     .outside = "not tried: it would fill the machine",
     .attempt = fork_many},
    {.name = "user_limits.keys",
     .aim = "keep keys in the kernel without end",
     .control = "filter: add_key; the quota of an id of its own",
     .inside = "EPERM",
     .unfiltered = "EDQUOT",
     .outside = kShort,
     .attempt = [] { return take_all(add_keys); }},
    {.name = "user_limits.locked_memory",
     .aim = "lock memory that the machine could need",
     .control = "rlimit: memlock; no capability",
     .inside = "ENOMEM",
     .attempt = lock_memory},
    {.name = "user_limits.raise",
     .aim = "raise the number of files that one may open",
     .control = "rlimit: nofile; no capability",
     .inside = "EPERM",
     .outside = "ok|EPERM",  // a container's root may not have the right
     .attempt = raise_limit},
    {.name = "user_limits.pipe",
     .aim = "have a pipe hold more than the machine allows",
     .control = "no capability",
     .inside = "EPERM",
     .outside = "ok|EPERM",  // a container's root may not have the right
     .attempt = enlarge_pipe},
    {.name = "user_limits.priority",
     .aim = "get a higher priority",
     .control = "no capability; rlimit: nice",
     .inside = "EACCES",
     .attempt = drop_priority_back},
};

}  // namespace

std::span<const Attack> user_limit_attacks() { return kAttacks; }

}  // namespace sbx::attack
