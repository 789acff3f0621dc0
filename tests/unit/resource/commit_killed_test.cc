// A commit that is killed (SIGKILL) at each of its system calls, and its worker's: the project has what it
// had, or what it was to have, and nothing else is left.
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "unit/resource/some_project.h"

namespace sbx {
namespace {

constexpr int kAlways = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;

[[noreturn]] void commit_in_child(const SomeProject& project) {
  if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(99);
  (void)raise(SIGSTOP);
  const auto done = project.transactions().commit("t");
  _exit(done && done->empty() ? 0 : 1);
}

// Whether it came to its end before its stop `number`, at a system call's begin or end of it or its worker;
// then it has to be good.
bool commits_before(const SomeProject& project, int number) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) commit_in_child(project);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSTOPPED(status));
  REQUIRE(ptrace(PTRACE_SETOPTIONS, child, nullptr, kAlways) == 0);
  (void)ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
  int stops = 0;
  bool finished = false;
  while (true) {
    const pid_t stopped = waitpid(-1, &status, __WALL);
    if (stopped < 0) break;  // all of them are gone
    if (stopped == child && WIFEXITED(status)) {
      finished = true;
      CHECK(WEXITSTATUS(status) == 0);
    }
    if (!WIFSTOPPED(status)) continue;
    if (++stops == number) (void)kill(child, SIGKILL);
    const int signal = WSTOPSIG(status);
    const bool ours = signal == SIGTRAP || signal == SIGSTOP;
    (void)ptrace(PTRACE_SYSCALL, stopped, nullptr, ours ? 0 : signal);
  }
  return finished;
}

std::string all_of(const SomeProject& project) {
  std::string text;
  for (const char* name : {"changed", "same", "gone", "new/file"}) {
    const std::string path = project.head(name);
    const bool there = std::filesystem::exists(project.place().path(path));
    text += there ? project.place().text(path) + " " : "- ";
  }
  return text;
}

}  // namespace

TEST_CASE("a commit that is killed at any system call leaves one generation or the other, whole") {
  const char* const every = std::getenv("SBX_TEST_EVERY_STOP");
  const int step = every != nullptr ? 1 : 7;
  int old_ones = 0;
  int new_ones = 0;
  for (int number = 1;; number += step) {
    CAPTURE(number);
    const SomeProject project;
    project.write("changed", "1");
    project.write("same", "1");
    project.write("gone", "1");
    project.begin("t");
    project.place().file(SomeProject::in_upper("t", "changed"), "2");
    project.place().file(SomeProject::in_upper("t", "new/file"), "2");
    project.place().whiteout(SomeProject::in_upper("t", "gone"));
    const bool finished = commits_before(project, number);
    const bool is_new = all_of(project) == "2 1 - 2 ";
    if (!is_new) CHECK(all_of(project) == "1 1 1 - ");
    CHECK(project.transactions().list()->empty() == is_new);
    CHECK(project.names("b").empty() == is_new);
    CHECK(project.names("g").size() == 1);
    ++(is_new ? new_ones : old_ones);
    if (finished) break;
    if (!is_new) {
      const auto again = project.transactions().commit("t");
      REQUIRE_MESSAGE(again, (again ? "" : again.error().text));
      CHECK(again->empty());
      CHECK(all_of(project) == "2 1 - 2 ");
    }
  }
  CHECK(old_ones > 10);
  CHECK(new_ones > 1);
}

}  // namespace sbx
