#include "observe.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "base/scope_exit.h"
#include "os/file.h"

namespace sbx::bench {
namespace {

using namespace std::chrono_literals;

constexpr int kAttempts = 2000;  // every 5 ms: 10 s
constexpr auto kBetweenAttempts = 5ms;

struct Found {
  pid_t pid;
  UniqueFd pidfd;
};

std::string command_line(const Program& program) {
  std::string line;
  for (const std::string& word : program) line += word + '\0';
  return line;
}

// The process whose command line is this one, all of it: the peer's own holds more words.
Result<std::optional<Found>> find_process(const std::string& wanted) {
  for (const std::string& name : TRY(os::list_directory(AT_FDCWD, "/proc"))) {
    if (!std::ranges::all_of(name, [](unsigned char c) { return std::isdigit(c) != 0; })) continue;
    const pid_t pid = std::atoi(name.c_str());
    // Held before it is looked at, so that what we signal is what we saw.
    UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd.valid()) continue;
    const auto line = os::read_file(AT_FDCWD, "/proc/" + name + "/cmdline");
    if (line && *line == wanted) return std::optional(Found{pid, std::move(pidfd)});
  }
  return std::optional<Found>{};
}

Result<Isolation> look(const Child& child, const Program& program) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (const auto found = TRY(find_process(command_line(program)))) {
      const ScopeExit end(
          [&] { (void)syscall(SYS_pidfd_send_signal, found->pidfd.get(), SIGKILL, nullptr, 0); });
      const auto inside = TRY(read_facts(found->pid));
      const auto outside = TRY(read_facts(getpid()));
      return compare_facts(inside, outside);
    }
    if (has_ended(child, kBetweenAttempts)) return fail("it ended before it could be looked at");
  }
  return fail("its program is not to be seen in /proc");
}

}  // namespace

Result<Isolation> observe(const Way& way) {
  // The fraction makes the command line ours alone; all peers are looked at one after the other.
  std::array<char, 32> seconds{};
  (void)std::snprintf(seconds.data(), seconds.size(), "20.%010d", getpid());
  const Program program{"/bin/sleep", seconds.data()};
  const Command command = TRY(way.command(program));
  const UniqueFd null = TRY(os::open_at(AT_FDCWD, "/dev/null", O_RDWR));
  const Child child = TRY(start(command, {null.get(), null.get(), null.get()}));
  Result<Isolation> isolation = look(child, program);
  (void)TRY(wait_for(child, 30s));  // the sleep was killed or is over: its status says nothing
  return isolation;
}

}  // namespace sbx::bench
