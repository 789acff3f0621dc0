#include "launch/spawner_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "launch/stage.h"
#include "os/file.h"
#include "os/process_end.h"
#include "os/socket.h"
#include "resource/host_needs.h"

namespace sbx {
namespace {

constexpr int kEndMs = 2'000;

}  // namespace

Result<std::unique_ptr<SandboxStarter>> SpawnerProcess::make(const std::string& helpers) {
  const std::string path = helpers + "/sbx-spawner";
  // A copy in memory, sealed: what a sandbox runs as PID 1 is never a file that it could reach
  // (CVE-2019-5736), and nothing that changes under a running supervisor.
  Result<std::string> init = os::read_file(AT_FDCWD, helpers + "/sbx-init", 4U << 20U);
  if (!init) return fail(with_need(std::move(init).error(), HostNeed::programs));
  const UniqueFd init_fd = TRY(os::sealed_memfd("sbx-init", *init));
  auto [ours, theirs] = TRY(os::seqpacket_pair());

  posix_spawn_file_actions_t actions;
  (void)posix_spawn_file_actions_init(&actions);
  (void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  (void)posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  // Out of the way of the two numbers first.
  const UniqueFd socket_high(fcntl(theirs.get(), F_DUPFD_CLOEXEC, kInitProgramFd + 1));
  const UniqueFd init_high(fcntl(init_fd.get(), F_DUPFD_CLOEXEC, kInitProgramFd + 1));
  if (!socket_high.valid() || !init_high.valid()) return fail(system_error("dup", "for the spawner", errno));
  (void)posix_spawn_file_actions_adddup2(&actions, socket_high.get(), kSpawnerSocketFd);
  (void)posix_spawn_file_actions_adddup2(&actions, init_high.get(), kInitProgramFd);
  std::array<char, 12> name{"sbx-spawner"};
  const std::array<char*, 2> arguments{name.data(), nullptr};
  const std::array<char*, 1> environment{nullptr};
  pid_t pid = -1;
  const int error = posix_spawn(&pid, path.c_str(), &actions, nullptr, arguments.data(), environment.data());
  (void)posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail(with_need(system_error("posix_spawn", path, error), HostNeed::programs));
  return std::unique_ptr<SandboxStarter>(new SpawnerProcess(pid, std::move(ours)));
}

SpawnerProcess::~SpawnerProcess() {
  if (pid_ < 0) return;
  socket_.reset();
  // It ends at once; one that hangs in the kernel is killed, and not waited for without end.
  const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  if (!process.valid()) return;  // nobody's child any more: the number may be another's
  pollfd ended{process.get(), POLLIN, 0};
  if (poll(&ended, 1, kEndMs) == 0) {
    (void)kill(pid_, SIGKILL);
    (void)poll(&ended, 1, kEndMs);
  }
  (void)waitpid(pid_, nullptr, WNOHANG);
}

Result<std::unique_ptr<LaunchChannel>> SpawnerProcess::start(const LaunchPlan& plan,
                                                             const std::vector<int>& descriptors, bool last) {
  TRY(make_stage(plan));
  const UniqueFd payload = TRY(os::sealed_memfd("sbx-launch", encode_launch_plan(plan)));
  std::vector<int> all{payload.get()};
  all.insert(all.end(), descriptors.begin(), descriptors.end());
  SpawnerMessage message;
  message.type = SpawnerMessageType::launch;
  message.id = ++launches_;
  message.last = last ? 1 : 0;
  const Result<void> sent = os::send_struct(socket_.get(), message, all);
  if (!sent && sent.error().error_number == EPIPE) return fail(ended_unexpectedly());
  TRY_DOING("asking the spawner", sent);
  return std::make_unique<SpawnerChannel>(socket_.get(), message.id);
}

Error SpawnerProcess::ended_unexpectedly() const {
  Error error{"the spawner ended unexpectedly", 0};
  // It is about to be gone, unless it hangs in the kernel.
  const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  pollfd ended{process.get(), POLLIN, 0};
  if (process.valid() && poll(&ended, 1, kEndMs) > 0) error.text += ": it " + os::how_it_ended(pid_);
  return error;
}

}  // namespace sbx
