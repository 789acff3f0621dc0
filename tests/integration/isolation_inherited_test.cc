// What a process inherits beside its descriptors does not reach the program: it starts from a known state.
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "isolation.h"

namespace sbx::test {
namespace {

// What `script` prints outside and inside, started by a caller in the state that `prepare` makes.
struct Both {
  std::string outside;
  std::string inside;
};

Both run_both(const Sandbox& sandbox, const std::string& script, const std::function<void()>& prepare) {
  ProgramOptions options;
  options.before_exec = prepare;
  return {run_program({"/bin/sh", "-c", script}, options).out,
          sandbox.run({"--", "/bin/sh", "-c", script}, options).out};
}

}  // namespace

TEST_SUITE_BEGIN("v2");

TEST_CASE("neither a higher priority nor a real-time policy of the caller is inherited") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Both nice = run_both(sandbox, "nice", [] { (void)setpriority(PRIO_PROCESS, 0, -15); });
  CHECK(nice.outside == "-15\n");
  CHECK(nice.inside == "0\n");
  // Field 41 of /proc/PID/stat is the scheduling policy (proc(5)).
  const Both policy = run_both(sandbox, "cut -d' ' -f41 /proc/self/stat", [] {
    const sched_param parameter{5};
    (void)sched_setscheduler(0, SCHED_FIFO, &parameter);
  });
  SKIP_UNLESS(policy.outside == "1\n", "no real-time policy can be had here");
  CHECK(policy.inside == "0\n");
}

TEST_CASE("address space randomisation is on, whatever the caller's personality is") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Both both =
      run_both(sandbox, "cat /proc/self/personality", [] { (void)personality(ADDR_NO_RANDOMIZE); });
  CHECK(both.outside == "00040000\n");
  CHECK(both.inside == "00000000\n");
}

TEST_CASE("a caller that the host's OOM killer spares does not have its sandbox spared") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Both both = run_both(sandbox, "cat /proc/self/oom_score_adj", [] {
    const int fd = open("/proc/self/oom_score_adj", O_WRONLY);
    (void)write(fd, "-900", 4);
    (void)close(fd);
  });
  SKIP_UNLESS(both.outside == "-900\n", "no right to be spared by the OOM killer here");
  CHECK(std::stoi(both.inside) >= 0);
}

TEST_CASE("ignored and blocked signals and the file mode mask are not inherited") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Both both = run_both(sandbox, "umask; grep -E '^(SigBlk|SigIgn):' /proc/self/status", [] {
    (void)umask(0);
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGUSR1, SIG_IGN);
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGUSR2);
    (void)sigprocmask(SIG_BLOCK, &set, nullptr);
  });
  CHECK(both.outside.find("SigIgn:\t0000000000000201") != std::string::npos);
  CHECK(both.inside == "0022\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_CASE("resource limits that the policy does not name are not the caller's to loosen") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Both both = run_both(sandbox, "ulimit -Hl; ulimit -Hc", [] {
    const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
    (void)setrlimit(RLIMIT_MEMLOCK, &none);
    (void)setrlimit(RLIMIT_CORE, &none);
  });
  SKIP_UNLESS(both.outside.starts_with("unlimited\n"), "limits cannot be raised here");
  CHECK(both.inside.find("unlimited") == std::string::npos);
}

TEST_SUITE_END();

}  // namespace sbx::test
