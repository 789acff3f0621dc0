// sbx-direct: a supervisor for one run, started by sbxrun as root when no sbxd is there. Speaks the client
// protocol on descriptor 3 and uses the same spawner, launch and record as sbxd.
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "launch/spawner_process.h"
#include "os/file.h"
#include "os/own_places.h"
#include "os/socket.h"
#include "resource/bind_contents.h"
#include "resource/host_needs.h"
#include "resource/host_rights.h"
#include "resource/own_directories.h"
#include "run/build_missing.h"
#include "run/client_link.h"
#include "run/run_one.h"
#include "wire/client_protocol.h"

namespace sbx {
namespace {

constexpr int kUsageError = 2;
constexpr int kOurFailure = 125;

// The run stays on the CPU it was asked on: a hand-over between CPUs costs more than the work (the program
// itself gets all CPUs of the caller back). Returns those.
CpuMask stay_on_this_cpu() {
  CpuMask all{};
  if (sched_getaffinity(0, sizeof all, reinterpret_cast<cpu_set_t*>(all.data())) != 0) {
    all.fill(~0ULL);
    return all;
  }
  const int cpu = sched_getcpu();
  CpuMask one{};
  if (cpu >= 0 && cpu < 1024) {
    one[static_cast<std::size_t>(cpu) / 64] = 1ULL << (static_cast<unsigned>(cpu) % 64U);
    (void)sched_setaffinity(0, sizeof one, reinterpret_cast<const cpu_set_t*>(one.data()));
  }
  return all;
}

// Our own group is systemd's, not ours to divide: begin again in a scope of our own, in the same slice and so
// under the same limits. The socket stays open across it. Comes back when that is not possible; the error of
// the cgroup layout then says what to do.
void continue_in_scope() {
  const std::optional<SystemdScope> scope = needed_systemd_scope();
  if (!scope || std::getenv("SBX_IN_SCOPE") != nullptr) return;
  (void)setenv("SBX_IN_SCOPE", "1", 1);
  (void)setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
  const Result<std::string> directory = os::own_directory();
  if (!directory) return;
  const std::string program = *directory + "/sbx-direct";
  const std::string tasks_max = "TasksMax=" + (scope->tasks_max == "max" ? "infinity" : scope->tasks_max);
  (void)fcntl(kClientSocketFd, F_SETFD, 0);
  (void)execlp("systemd-run", "systemd-run", "--scope", "--quiet", "--collect", "--slice-inherit", "-p",
               "Delegate=yes", "-p", tasks_max.c_str(), program.c_str(), nullptr);
  (void)fcntl(kClientSocketFd, F_SETFD, FD_CLOEXEC);
}

// Before anything of the run is begun: it may take minutes, and all CPUs. What is wrong besides is told by
// the run.
Result<void> build_image(const Settings& settings, const RunRequest& request) {
  if (request.action != RequestAction::run || !(request.build || settings.auto_build)) return {};
  if (!load_policy(request.policy, settings.policy_dirs)) return {};
  if (!check_own_directories(settings.state_dir, settings.run_dir)) return {};
  return build_missing_image(settings, request, kClientSocketFd);
}

Result<void> serve() {
  const bool root = geteuid() == 0;
  if (root) continue_in_scope();
  const ClientLink client(kClientSocketFd);
  Result<ReceivedRequest> received = client.receive_request();
  if (!received) return client.answer_error(kOurFailure, received.error());
  const RunRequest& request = received->request;
  if (request.action == RequestAction::keep)
    return client.answer_error(kOurFailure, Error{"a sandbox of many commands needs a running sbxd", 0});
  const Result<Settings> settings = make_settings(request);
  if (!settings) return client.answer_error(kUsageError, settings.error());

  const Result<void> image_there = root ? build_image(*settings, request) : Result<void>();
  // First, so that the spawner gets ready while we do. After the cgroups: on v2 we may be moved to a leaf,
  // and it has to come along.
  const bool runs = request.action == RequestAction::run;
  const Result<CgroupLayout> cgroups =
      runs ? find_cgroup_layout(settings->cgroup_parent) : Result<CgroupLayout>(fail("nothing is run"));
  const Result<std::unique_ptr<SandboxStarter>> spawner =
      runs && root ? SpawnerProcess::make(settings->helpers)
                   : fail(with_need(Error{"the caller is not root"}, HostNeed::capabilities));
  const CpuMask cpus = stay_on_this_cpu();
  const Result<Policy> policy =
      load_policy(request.policy, settings->policy_dirs, runs ? settings->cache_dir() : std::string());
  if (!policy) return client.answer_error(kUsageError, policy.error());

  if (request.action != RequestAction::run) {
    const Result<std::string> text = describe_run(*settings, *policy, request);
    return text ? client.answer_text(*text) : client.answer_error(kOurFailure, text.error());
  }

  const Result<void> places = check_own_directories(settings->state_dir, settings->run_dir);
  const Sweep sweep = places ? sweep_orphans(*settings) : Sweep();  // the run says why not
  const RunContext context{*settings, *policy,         image_there,          places,   cgroups, spawner,
                           true,      kClientSocketFd, Caller{getuid(), {}}, "direct", cpus,    {}};
  RunReport report = run_one(context, request, std::move(received->streams));
  std::vector<std::string> notices = setting_warnings();
  std::ranges::move(bind_warnings(request), std::back_inserter(notices));
  if (!sweep.failure.empty()) notices.push_back(sweep.failure);
  return client.answer_finished(request, std::move(report), notices, sweep.done());
}

int run() {
  (void)prctl(PR_SET_NAME, "sbx-direct");
  (void)fcntl(kClientSocketFd, F_SETFD, FD_CLOEXEC);
  (void)umask(077);
  // What the caller ignores or limits is not ours: children are waited for, and a file that may not grow (a
  // log above RLIMIT_FSIZE) is an error, not our end.
  (void)signal(SIGCHLD, SIG_DFL);
  (void)signal(SIGXFSZ, SIG_IGN);
  // All the descriptors that we may have; a sandbox's own limit is its plan's.
  if (rlimit files{}; getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
  }
  // Out of the terminal's session: a Ctrl-C reaches sbxrun, which tells us.
  (void)setsid();
  // Not traceable, no core: captured output and environment values pass through here.
  (void)prctl(PR_SET_DUMPABLE, 0);
  if (const auto served = serve(); !served) {
    // sbxrun is gone: nobody is there to tell.
    return served.error().error_number == EPIPE
               ? 0
               : (std::fprintf(stderr, "sbx-direct: %s\n", served.error().text.c_str()), 1);
  }
  return 0;
}

}  // namespace
}  // namespace sbx

int main() { return sbx::run(); }
