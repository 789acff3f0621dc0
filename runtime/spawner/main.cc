// sbx-spawner: starts sandboxes for one supervisor (wire/spawner_protocol.h) and ends with it. Kept small
// and single-threaded so that a clone of it is cheap; it parses nothing but its supervisor's messages.
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <vector>

#include "launch/launcher.h"
#include "os/file.h"
#include "os/inherited_state.h"
#include "os/socket.h"

namespace sbx {
namespace {

constexpr std::size_t kMaxPlanBytes = 1U << 20U;

struct RunningInit {
  std::uint64_t id = 0;
  UniqueFd pidfd;
};

class Spawner {
 public:
  explicit Spawner(UniqueFd own_pidfd) : own_pidfd_(std::move(own_pidfd)) {}

  Result<void> serve() {
    SpawnerMessage hello;
    hello.type = SpawnerMessageType::hello;
    TRY(os::send_struct(kSpawnerSocketFd, hello));
    network_ = NetworkNamespace::make();
    while (true) {
      std::vector<pollfd> polled{{kSpawnerSocketFd, POLLIN, 0}};
      for (const RunningInit& running : running_) polled.push_back({running.pidfd.get(), POLLIN, 0});
      if (poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR)
        return fail(system_error("poll", "", errno));
      TRY(report_ended(polled));
      if (last_ && running_.empty()) return {};
      if ((polled[0].revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
      auto message = TRY(os::receive_message(kSpawnerSocketFd, sizeof(SpawnerMessage)));
      if (!message) return {};  // the supervisor is gone
      TRY(launch(std::move(*message)));
    }
  }

  // Init's own death signal says the same; this is quicker and does not wait for our exit.
  void kill_all() const {
    for (const RunningInit& running : running_)
      (void)syscall(SYS_pidfd_send_signal, running.pidfd.get(), SIGKILL, 0, 0);
  }

 private:
  Result<void> launch(os::Message message) {
    const auto request = TRY(os::read_struct<SpawnerMessage>(message, "spawner"));
    if (request.version != kSpawnerProtocolVersion || request.type != SpawnerMessageType::launch) {
      return fail("spawner: an unexpected message");
    }
    if (message.descriptors.empty()) return fail("spawner: a launch without its plan");
    const UniqueFd payload = std::move(message.descriptors.front());
    message.descriptors.erase(message.descriptors.begin());
    const std::string bytes = TRY(os::read_sealed_memfd(payload.get(), "launch plan", kMaxPlanBytes));
    const LaunchPlan plan = TRY(decode_launch_plan(bytes));

    last_ = request.last != 0;
    SpawnerMessage answer;
    answer.id = request.id;
    timespec now{};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    answer.started_ns = now.tv_sec * 1'000'000'000 + now.tv_nsec;
    if (!network_) network_ = NetworkNamespace::make();
    LaunchedInit launched = launch_init(plan, message.descriptors, *network_, own_pidfd_.get());
    network_.reset();
    answer.failure = launched.failure;
    answer.step_us = launched.step_us;
    answer.type = launched.failure.step == LaunchStep::none ? SpawnerMessageType::launched
                                                            : SpawnerMessageType::launch_failed;
    if (answer.type == SpawnerMessageType::launch_failed) {
      if (launched.pidfd.valid())
        (void)waitid(P_PIDFD, static_cast<id_t>(launched.pidfd.get()), nullptr, WEXITED);
      return os::send_struct(kSpawnerSocketFd, answer);
    }
    const int pidfd = launched.pidfd.get();
    running_.push_back({request.id, std::move(launched.pidfd)});
    return os::send_struct(kSpawnerSocketFd, answer, std::span(&pidfd, 1));
  }

  Result<void> report_ended(const std::vector<pollfd>& polled) {
    for (std::size_t i = polled.size() - 1; i > 0; --i) {
      if ((polled[i].revents & POLLIN) == 0) continue;
      RunningInit& running = running_[i - 1];
      siginfo_t info{};
      if (waitid(P_PIDFD, static_cast<id_t>(running.pidfd.get()), &info, WEXITED) != 0) {
        return fail(system_error("waitid", "", errno));
      }
      SpawnerMessage ended;
      ended.type = SpawnerMessageType::ended;
      ended.id = running.id;
      // As waitpid(2) encodes it.
      ended.status = info.si_code == CLD_EXITED ? (info.si_status & 0xFF) << 8 : info.si_status & 0x7F;
      running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i) - 1);
      TRY(os::send_struct(kSpawnerSocketFd, ended));
    }
    return {};
  }

  UniqueFd own_pidfd_;
  std::optional<NetworkNamespace> network_;  // of the next launch
  bool last_ = false;
  std::vector<RunningInit> running_;
};

// On the CPU where the kernel put us, like all we start: a hand-over between CPUs costs more than the work.
void stay_on_this_cpu() {
  const int cpu = sched_getcpu();
  if (cpu < 0 || cpu >= CPU_SETSIZE) return;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<unsigned>(cpu), &one);
  (void)sched_setaffinity(0, sizeof one, &one);
}

int run() {
  stay_on_this_cpu();
  if (const auto reset = os::reset_inherited_state(); !reset) {
    std::fprintf(stderr, "sbx-spawner: %s\n", reset.error().text.c_str());
    return 1;
  }
  (void)fcntl(kSpawnerSocketFd, F_SETFD, FD_CLOEXEC);
  (void)fcntl(kInitProgramFd, F_SETFD, FD_CLOEXEC);
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The socket tells of a supervisor that died before the line above.
  UniqueFd own_pidfd(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  if (!own_pidfd.valid()) {
    std::fprintf(stderr, "sbx-spawner: %s\n", system_error("pidfd_open", "", errno).text.c_str());
    return 1;
  }
  Spawner spawner(std::move(own_pidfd));
  const Result<void> served = spawner.serve();
  spawner.kill_all();
  if (!served && served.error().error_number != EPIPE && served.error().error_number != ECONNRESET) {
    std::fprintf(stderr, "sbx-spawner: %s\n", served.error().text.c_str());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace sbx

int main() { return sbx::run(); }
