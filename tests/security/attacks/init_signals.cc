// PID 1 of the sandbox: signals by every call that sends one, and what a parent or a child of it may do.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <ctime>

#include "attempts.h"

namespace sbx::attack {
namespace {

pid_t victim() { return static_cast<pid_t>(target_number("victim")); }
long pidfd_of(pid_t pid) { return syscall(SYS_pidfd_open, pid, 0); }

siginfo_t forged(int number) {
  siginfo_t info{};
  info.si_signo = number;
  info.si_code = SI_QUEUE;
  return info;
}

// A process that is there to be killed; there is one for each who asks. Inside, all are init.
template <int number>
pid_t mortal() {
  return static_cast<pid_t>(
      target_number(target("victim") == "1" ? "victim" : "mortal" + std::to_string(number)));
}

bool ended(long pidfd) {
  pollfd polled{static_cast<int>(pidfd), POLLIN, 0};
  return poll(&polled, 1, 1'000) == 1;
}

// Sends a signal that ends it, and sees that it ended.
template <int number, class F>
long kill_with(F send) {
  const pid_t pid = mortal<number>();
  const long pidfd = pidfd_of(pid);
  if (pidfd < 0 || send(pid) < 0) return -1;
  return ended(pidfd) ? 0 : fail(ETIMEDOUT);
}

// Has the kernel send SIGKILL to it for data in a pipe. No call says that it was refused: nothing happens.
long kill_by_data(pid_t pid) {
  int ends[2];
  if (pipe(ends) != 0 || fcntl(ends[0], F_SETFL, O_ASYNC) < 0) return -1;
  if (fcntl(ends[0], F_SETSIG, SIGKILL) < 0 || fcntl(ends[0], F_SETOWN, pid) < 0) return -1;
  return write(ends[1], "x", 1);
}

long stop() {
  const long result = kill(victim(), SIGSTOP);
  if (result == 0) (void)kill(victim(), SIGCONT);
  return result;
}

long timer_for() {
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGKILL;
  event._sigev_un._tid = victim();
  timer_t timer{};
  return syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer);
}

long foreground_of_terminal() {
  (void)setsid();
  const int master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
  if (master < 0 || unlockpt(master) != 0) return -1;
  const int slave = ioctl(master, _IO('T', 0x41) /* TIOCGPTPEER */, O_RDWR);
  if (slave < 0 || ioctl(slave, TIOCSCTTY, 0) != 0) return -1;
  const pid_t group = getpgid(victim());
  return tcsetpgrp(slave, group > 0 ? group : victim());
}

// Runs `attempt` in a process whose parent has gone, and gives what came of it.
long as_orphan(long (*attempt)()) {
  int ends[2];
  if (pipe(ends) != 0) return -1;
  const pid_t child = fork();
  if (child == 0) {
    const pid_t parent = getpid();
    if (fork() != 0) _exit(0);
    while (getppid() == parent) (void)usleep(1'000);
    errno = 0;
    const int status = status_of(attempt());
    (void)!write(ends[1], &status, sizeof status);
    _exit(0);
  }
  (void)waitpid(child, nullptr, 0);
  int status = EPIPE;
  (void)close(ends[1]);
  (void)!read(ends[0], &status, sizeof status);
  return result_of(status);
}

// Orphans come to oneself instead of init.
long adopt_orphans() {
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) return -1;
  static pid_t self;
  self = getpid();
  const long result = as_orphan([] { return only_if(getppid() == self); });
  (void)wait(nullptr);
  return result;
}

// A child of the command's parent; for the command that is init.
long clone_as_sibling() {
  const long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  (void)usleep(10'000);  // so that it has ended, and its parent finds it
  return pid;
}

constexpr const char* kUser = "another user id inside; PID 1 has no handler";
constexpr const char* kRule = "the kernel: nobody may";

constexpr Attack by_id(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {.name = name, .aim = aim, .control = kUser, .inside = "EPERM", .attempt = attempt};
}

// What the kernel lets nobody do, outside neither.
constexpr Attack by_rule(std::string_view name, std::string_view aim, std::string_view error,
                         long (*attempt)()) {
  return {.name = name, .aim = aim, .control = kRule, .inside = error, .outside = error, .attempt = attempt};
}

constexpr Attack kAttacks[] = {
    by_id("init.signal_0", "ask whether one may send signals to init",
          [] { return static_cast<long>(kill(victim(), 0)); }),
    by_id("init.signal_continue", "have init go on",
          [] { return static_cast<long>(kill(victim(), SIGCONT)); }),
    by_id("init.signal_child", "tell init of the end of a child",
          [] { return static_cast<long>(kill(victim(), SIGCHLD)); }),
    by_id("init.signal_stop", "stop init", stop),
    by_id("init.kill", "kill init",
          [] { return kill_with<0>([](pid_t pid) -> long { return kill(pid, SIGKILL); }); }),
    by_id("init.terminate", "ask init to end",
          [] { return kill_with<1>([](pid_t pid) -> long { return kill(pid, SIGTERM); }); }),
    by_id("init.kill_by_tkill", "kill a thread of init",
          [] { return kill_with<2>([](pid_t pid) { return syscall(SYS_tkill, pid, SIGKILL); }); }),
    by_id("init.kill_by_tgkill", "kill a thread of init's group",
          [] { return kill_with<3>([](pid_t pid) { return syscall(SYS_tgkill, pid, pid, SIGKILL); }); }),
    by_id("init.kill_by_rt_sigqueueinfo", "kill init with a signal that carries data",
          [] {
            return kill_with<4>([](pid_t pid) {
              siginfo_t info = forged(SIGKILL);
              return syscall(SYS_rt_sigqueueinfo, pid, SIGKILL, &info);
            });
          }),
    by_id("init.kill_by_rt_tgsigqueueinfo", "kill a thread of init with a signal that carries data",
          [] {
            return kill_with<5>([](pid_t pid) {
              siginfo_t info = forged(SIGKILL);
              return syscall(SYS_rt_tgsigqueueinfo, pid, pid, SIGKILL, &info);
            });
          }),
    by_id("init.kill_by_pidfd", "kill init by a descriptor of it",
          [] {
            return kill_with<6>(
                [](pid_t pid) { return syscall(SYS_pidfd_send_signal, pidfd_of(pid), SIGKILL, nullptr, 0); });
          }),
    {.name = "init.kill_by_sigio",
     .aim = "have the kernel kill init when data comes",
     .control = "another user id inside: the kernel sends nothing",
     .inside = "ETIMEDOUT",
     .attempt = [] { return kill_with<7>(kill_by_data); }},
    by_rule("init.kill_by_timer", "have a timer kill init", "EINVAL", timer_for),
    by_rule("init.process_group", "move init into another process group", "ESRCH",
            [] { return static_cast<long>(setpgid(victim(), 0)); }),
    by_rule("init.foreground", "give init's process group a terminal", "EPERM", foreground_of_terminal),
    by_rule("init.wait", "wait for the end of init as if it was a child", "ECHILD",
            [] {
              return static_cast<long>(
                  waitid(P_PID, static_cast<id_t>(victim()), nullptr, WEXITED | WNOHANG));
            }),
    by_rule("init.wait_pidfd", "the same by a descriptor of it", "ECHILD",
            [] {
              return static_cast<long>(
                  waitid(P_PIDFD, static_cast<id_t>(pidfd_of(victim())), nullptr, WEXITED | WNOHANG));
            }),
    {.name = "init.trace_me",
     .aim = "make init one's tracer, as its adopted child",
     .control = "filter under strict; else none: init never traces, and lets it go at its next signal",
     .inside = "ok",
     .strict = "EPERM",
     .outside = "not tried: the host's init would be the tracer",
     .attempt = [] { return as_orphan([] { return ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }); }},
    {.name = "init.name_tracer",
     .aim = "name init as the debugger of oneself",
     .control = "none: init never traces",
     .inside = "ok|EINVAL",  // only with Yama
     .outside = "ok|EINVAL",
     .attempt = [] { return static_cast<long>(prctl(PR_SET_PTRACER, victim(), 0, 0, 0)); }},
    {.name = "init.subreaper",
     .aim = "adopt orphans in init's place",
     .control = "none: they are one's own",
     .inside = "ok",
     .attempt = adopt_orphans},
    {.name = "init.sibling",
     .aim = "make a process whose parent is one's own parent",
     .control = "none: init reaps whatever ends, and waits for the command alone",
     .inside = "ok",
     .attempt = clone_as_sibling},
};

}  // namespace

std::span<const Attack> init_signal_attacks() { return kAttacks; }

}  // namespace sbx::attack
