#include "connection.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

#include "daemon_socket.h"
#include "os/own_places.h"
#include "os/process_end.h"
#include "os/socket.h"
#include "wire/client_protocol.h"

namespace sbx::sbxrun {
namespace {

Result<Connection> start_direct() {
  const std::string path = os::own_places(TRY(os::own_directory())).helpers + "/sbx-direct";
  auto [ours, theirs] = TRY(os::seqpacket_pair());
  posix_spawn_file_actions_t actions;
  (void)posix_spawn_file_actions_init(&actions);
  // Our streams are not the supervisor's: it must not keep a pipe of the caller open.
  (void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  (void)posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  const UniqueFd high(fcntl(theirs.get(), F_DUPFD_CLOEXEC, kClientSocketFd + 1));
  if (!high.valid()) return fail(system_error("dup", "the supervisor's socket", errno));
  (void)posix_spawn_file_actions_adddup2(&actions, high.get(), kClientSocketFd);
  (void)posix_spawn_file_actions_addclosefrom_np(&actions, kClientSocketFd + 1);
  posix_spawnattr_t attributes;
  (void)posix_spawnattr_init(&attributes);
  sigset_t none;
  (void)sigemptyset(&none);
  (void)posix_spawnattr_setsigmask(&attributes, &none);
  (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  std::array<char, 12> name{"sbx-direct"};
  const std::array<char*, 2> arguments{name.data(), nullptr};
  // Nothing of our environment, but who called sudo: a policy file may be theirs.
  const char* sudo_uid = std::getenv("SUDO_UID");
  std::string sudo_variable = "SUDO_UID=" + std::string(sudo_uid == nullptr ? "" : sudo_uid);
  const std::array<char*, 2> environment{sudo_uid == nullptr ? nullptr : sudo_variable.data(), nullptr};
  pid_t pid = -1;
  const int error =
      posix_spawn(&pid, path.c_str(), &actions, &attributes, arguments.data(), environment.data());
  (void)posix_spawn_file_actions_destroy(&actions);
  (void)posix_spawnattr_destroy(&attributes);
  if (error != 0) return fail(system_error("posix_spawn", path, error));
  return Connection{DirectSupervisor(pid), std::move(ours)};
}

Result<Connection> connect_socket(const Options& options) {
  UniqueFd client = TRY(connect_daemon(options.socket, options.sandbox));
  return Connection{DirectSupervisor(), std::move(client)};
}

bool is_there(const std::string& socket_path) {
  struct stat status {};
  return lstat(socket_path.c_str(), &status) == 0;
}

}  // namespace

void DirectSupervisor::kill() const {
  if (pid_ > 0) (void)::kill(pid_, SIGKILL);  // not yet waited for: the number is still its own
}

std::string DirectSupervisor::how_it_ended() const {
  return pid_ > 0 ? os::how_it_ended(pid_) : std::string();
}

DirectSupervisor::~DirectSupervisor() {
  while (pid_ > 0 && waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<Connection> connect_supervisor(const Options& options) {
  const bool runs = options.request.action == RequestAction::run;
  if (options.mode == Mode::socket || !options.sandbox.empty()) return connect_socket(options);
  // A plan needs no rights and no daemon.
  if (!runs) return start_direct();
  if (options.mode == Mode::automatic && is_there(options.socket)) return connect_socket(options);
  if (geteuid() != 0) {
    return fail(
        "no supervisor at '" + options.socket +
        "', and only root can start a sandbox directly: ask the operator to start sbxd, or use sudo sbxrun");
  }
  if (options.mode == Mode::automatic && !options.quiet) {
    std::fprintf(stderr, "sbxrun: direct mode (no supervisor at %s)\n", options.socket.c_str());
  }
  return start_direct();
}

}  // namespace sbx::sbxrun
