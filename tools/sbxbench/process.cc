#include "process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <sstream>
#include <string_view>

#include "os/file.h"

namespace sbx::bench {
namespace {

using std::chrono::milliseconds;

// No run of a benchmark takes this long: who does hangs.
constexpr milliseconds kHangs{60'000};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> list;
  list.reserve(texts.size() + 1);
  for (const std::string& text : texts)
    list.push_back(const_cast<char*>(text.c_str()));  // exec does not write
  list.push_back(nullptr);
  return list;
}

std::chrono::nanoseconds now() {
  timespec time{};
  (void)clock_gettime(CLOCK_MONOTONIC, &time);  // cannot fail: the clock exists and the pointer is good
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

struct Failure {
  const char* volatile call;
  volatile int number;
};

// Everything the child needs is ready: it shares our memory until it has called exec. On its own and never
// inlined, so that the child cannot spoil variables of a caller.
// NOLINTBEGIN(clang-analyzer-unix.Vfork): POSIX allows the child nothing but exec; Linux also system calls
// (vfork(2))
[[gnu::noinline]] pid_t spawn(char* const* arguments, char* const* environment, const Streams& streams,
                              int mount_namespace, Failure& failure) {
  const pid_t pid = vfork();  // NOLINT(clang-analyzer-security.insecureAPI.vfork): the floor that is measured
  if (pid != 0) return pid;
  if (dup2(streams.input, 0) < 0 || dup2(streams.output, 1) < 0 || dup2(streams.error, 2) < 0) {
    failure.call = "dup2";
  } else if (mount_namespace >= 0 && setns(mount_namespace, CLONE_NEWNS) != 0) {
    failure.call = "setns";
  } else {
    (void)execve(arguments[0], arguments, environment);
    failure.call = "execve";
  }
  failure.number = errno;
  _exit(127);
}
// NOLINTEND(clang-analyzer-unix.Vfork)

Result<UniqueFd> open_null() { return os::open_at(AT_FDCWD, "/dev/null", O_RDWR); }

}  // namespace

Result<Child> start(const Command& command, const Streams& streams) {
  const std::vector<char*> arguments = pointers(command.arguments);
  const std::vector<char*> environment = pointers(command.environment);
  Failure failure{nullptr, 0};
  const pid_t pid = spawn(arguments.data(), environment.data(), streams, command.mount_namespace, failure);
  if (pid < 0) return fail(system_error("vfork", command.arguments[0], errno));
  if (failure.call != nullptr) {
    (void)waitpid(pid, nullptr, 0);  // it said what we want to know
    return fail(system_error(failure.call, command.arguments[0], failure.number));
  }
  Child child{pid, UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)))};
  if (!child.pidfd.valid()) {
    const int number = errno;
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, nullptr, 0);
    return fail(system_error("pidfd_open", command.arguments[0], number));
  }
  return child;
}

bool has_ended(const Child& child, milliseconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  for (milliseconds left = patience; left.count() >= 0;
       left = std::chrono::ceil<milliseconds>(end - std::chrono::steady_clock::now())) {
    pollfd poll_for{child.pidfd.get(), POLLIN, 0};
    const int ready = poll(&poll_for, 1, static_cast<int>(left.count()));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
  return false;
}

Result<int> wait_for(const Child& child, milliseconds limit) {
  if (!has_ended(child, limit))
    (void)kill(child.pid, SIGKILL);  // ours and not reaped: the number is still its own
  int status = 0;
  while (waitpid(child.pid, &status, 0) < 0) {
    if (errno != EINTR) return fail(system_error("waitpid", std::to_string(child.pid), errno));
  }
  return status;
}

std::string describe_failure(int wait_status) {
  if (WIFSIGNALED(wait_status)) return "killed by signal " + std::to_string(WTERMSIG(wait_status));
  if (WEXITSTATUS(wait_status) != 0) return "exit status " + std::to_string(WEXITSTATUS(wait_status));
  return {};
}

Result<Timing> run_timed(const Command& command) {
  const UniqueFd null = TRY(open_null());
  const std::chrono::nanoseconds begin = now();
  const Child child = TRY(start(command, {null.get(), null.get(), null.get()}));
  const int status = TRY(wait_for(child, kHangs));
  return Timing{now() - begin, status};
}

Result<Trial> run_trial(const Command& command) {
  const UniqueFd null = TRY(open_null());
  const UniqueFd output(memfd_create("output", MFD_CLOEXEC));
  if (!output.valid()) return fail(system_error("memfd_create", "output", errno));
  const Child child = TRY(start(command, {null.get(), output.get(), output.get()}));
  const int status = TRY(wait_for(child, kHangs));
  if (lseek(output.get(), 0, SEEK_SET) != 0) return fail(system_error("lseek", "output", errno));
  std::string text = TRY(os::read_all(output.get(), command.arguments[0]));
  return Trial{status, std::move(text)};
}

std::optional<std::string> find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream directories(std::string(path != nullptr ? path : "") +
                                 ":/usr/local/sbin:/usr/sbin:/usr/bin");
  for (std::string directory; std::getline(directories, directory, ':');) {
    if (!directory.starts_with('/')) continue;
    const std::string candidate = directory + "/" + name;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::nullopt;
}

}  // namespace sbx::bench
