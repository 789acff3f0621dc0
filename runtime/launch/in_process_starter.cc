#include "launch/in_process_starter.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/scope_exit.h"
#include "launch/launcher.h"
#include "launch/stage.h"

namespace sbx {
namespace {

// What became of the launch is told first, and then init's end: its pidfd is readable at it.
class InProcessChannel final : public LaunchChannel {
 public:
  InProcessChannel(LaunchEvent first, UniqueFd pidfd, UniqueFd now)
      : first_(std::move(first)), pidfd_(std::move(pidfd)), now_(std::move(now)) {}

  [[nodiscard]] int fd() const override { return now_.valid() ? now_.get() : pidfd_.get(); }

  LaunchEvent read() override {
    if (now_.valid()) {
      now_.reset();
      return std::move(first_);
    }
    siginfo_t info{};
    if (waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED | WNOHANG) != 0)
      return LauncherGone{system_error("waitid", "init", errno)};
    if (info.si_pid == 0) return {};
    pidfd_.reset();
    // As waitpid(2) encodes it.
    return InitEnded{info.si_code == CLD_EXITED ? (info.si_status & 0xFF) << 8 : info.si_status & 0x7F};
  }

 private:
  LaunchEvent first_;
  UniqueFd pidfd_;
  UniqueFd now_;  // readable until `first_` was told
};

// The caller's mounts are not copied.
Result<LaunchedInit> launch_from(const MountTemplate& mounts, LaunchPlan plan,
                                 const std::vector<UniqueFd>& descriptors, int own_pidfd) {
  const NetworkNamespace network = NetworkNamespace::make();
  const MountTemplate::Visit visit = TRY(mounts.enter());
  plan.stage = MountTemplate::kStage;
  TRY(make_stage(plan));
  return launch_init(plan, descriptors, network, own_pidfd);
}

}  // namespace

Result<std::unique_ptr<LaunchChannel>> InProcessStarter::start(const LaunchPlan& plan,
                                                               const std::vector<int>& descriptors,
                                                               bool /*last*/) {
  // Not before: who supervises may have been forked since.
  const UniqueFd own_pidfd(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  if (!own_pidfd.valid()) return fail(system_error("pidfd_open", "", errno));
  std::vector<UniqueFd> owned;  // as a spawner gets them
  for (const int fd : descriptors) {
    owned.emplace_back(fcntl(fd, F_DUPFD_CLOEXEC, kInitProgramFd + 1));
    if (!owned.back().valid()) return fail(system_error("dup", "for a launch", errno));
  }
  UniqueFd now(eventfd(1, EFD_CLOEXEC));
  if (!now.valid()) return fail(system_error("eventfd", "", errno));
  // What the sandbox inherits, as from a spawner (os/inherited_state.h); our own files are nobody else's.
  const mode_t ours = umask(022);
  const ScopeExit restore([ours] { (void)umask(ours); });
  LaunchedInit launched = TRY(launch_from(mounts_, plan, owned, own_pidfd.get()));
  if (launched.failure.step != LaunchStep::none) {
    if (launched.pidfd.valid())
      (void)waitid(P_PIDFD, static_cast<id_t>(launched.pidfd.get()), nullptr, WEXITED);
    return std::make_unique<InProcessChannel>(launched.failure, UniqueFd(), std::move(now));
  }
  UniqueFd told(fcntl(launched.pidfd.get(), F_DUPFD_CLOEXEC, 0));
  return std::make_unique<InProcessChannel>(InitLaunched{std::move(told), launched.step_us},
                                            std::move(launched.pidfd), std::move(now));
}

}  // namespace sbx
