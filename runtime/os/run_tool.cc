#include "os/run_tool.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "base/printable.h"
#include "os/file.h"
#include "os/process_end.h"

namespace sbx::os {
namespace {

constexpr std::size_t kMostSaid = 4096;
constexpr int kHeld = 3;
constexpr const char* kPath = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";

// The end of what it writes, until it writes no more.
std::string last_words(int fd) {
  std::string said;
  std::array<char, 1024> part{};
  while (true) {
    const ssize_t size = read(fd, part.data(), part.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    said.append(part.data(), static_cast<std::size_t>(size));
    if (said.size() > kMostSaid) said.erase(0, said.size() - kMostSaid);
  }
  while (said.ends_with('\n')) said.pop_back();
  return said.substr(said.find_last_of('\n') + 1);
}

// As execve(2) wants them; good for as long as the words are.
std::vector<char*> pointers_to(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// The program at `command[0]`, which gets `signal` when we die. (No attribute of posix_spawn(3) does that.)
Result<std::vector<std::string>> tied_to_us(const char* signal, const std::vector<std::string>& command) {
  std::vector<std::string> words{TRY(find_tool("setpriv")), "--pdeathsig", signal, "--"};
  words.insert(words.end(), command.begin(), command.end());
  return words;
}

Result<int> wait_for(pid_t pid, const std::string& name) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return fail(system_error("waitpid", name, errno));
  }
  return status;
}

}  // namespace

Result<std::string> find_tool(const std::string& name) {
  for (const char* directory : {"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"}) {
    if (access((directory + name).c_str(), X_OK) == 0) return directory + name;
  }
  return fail(system_error("looking for", name, ENOENT));
}

Result<void> run_tool(const std::vector<std::string>& command, int most, int held) {
  std::vector<std::string> found = command;
  found.front() = TRY(find_tool(command.front()));
  const std::vector<std::string> words = TRY(tied_to_us("KILL", found));
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return fail(system_error("pipe2", command.front(), errno));
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  const std::vector<char*> arguments = pointers_to(words);
  const std::vector<std::string> variables{kPath, "LC_ALL=C"};
  const std::vector<char*> environment = pointers_to(variables);

  posix_spawn_file_actions_t actions;
  (void)posix_spawn_file_actions_init(&actions);
  (void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  (void)posix_spawn_file_actions_adddup2(&actions, writing.get(), 1);
  (void)posix_spawn_file_actions_adddup2(&actions, writing.get(), 2);
  if (held >= 0) (void)posix_spawn_file_actions_adddup2(&actions, held, kHeld);
  posix_spawnattr_t attributes;
  (void)posix_spawnattr_init(&attributes);
  sigset_t none;
  (void)sigemptyset(&none);
  (void)posix_spawnattr_setsigmask(&attributes, &none);
  (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  const int error =
      posix_spawn(&pid, words.front().c_str(), &actions, &attributes, arguments.data(), environment.data());
  (void)posix_spawnattr_destroy(&attributes);
  (void)posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail(system_error("posix_spawn", found.front(), error));

  writing.reset();
  const std::string said = last_words(reading.get());
  const std::string how = how_it_ended(pid);
  const int status = TRY(wait_for(pid, command.front()));
  if (WIFEXITED(status) && WEXITSTATUS(status) <= most) return {};
  return fail(command.front() + " " + how + (said.empty() ? "" : ": " + printable(said)));
}

Result<int> run_shown(const std::vector<std::string>& command, const std::vector<std::string>& environment,
                      int output, int until) {
  const std::vector<std::string> words = TRY(tied_to_us("TERM", command));
  const std::vector<char*> arguments = pointers_to(words);
  const std::vector<char*> variables = pointers_to(environment);
  posix_spawn_file_actions_t actions;
  (void)posix_spawn_file_actions_init(&actions);
  (void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  (void)posix_spawn_file_actions_adddup2(&actions, output, 1);
  pid_t pid = -1;
  const int error =
      posix_spawn(&pid, words.front().c_str(), &actions, nullptr, arguments.data(), variables.data());
  (void)posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail(system_error("posix_spawn", command.front(), error));
  const UniqueFd ended(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  std::array<pollfd, 2> polled{{{ended.get(), POLLIN, 0}, {until, POLLIN, 0}}};
  while (ended.valid() && poll(polled.data(), polled.size(), -1) < 0 && errno == EINTR) {
  }
  const bool cancelled = polled[0].revents == 0;
  if (cancelled) (void)kill(pid, SIGTERM);
  const std::string how = how_it_ended(pid);
  const int status = TRY(wait_for(pid, command.front()));
  if (cancelled) return fail(Error{"cancelled", ECANCELED});
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  return fail(command.front() + " " + how);
}

}  // namespace sbx::os
