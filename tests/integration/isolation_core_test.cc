// A crash inside must start nothing outside: where core_pattern is a pipe the kernel runs its program as the
// host's root, unless the crashing process has a core limit of exactly 1 (core(5)). And what else inside has
// the kernel start a program outside.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>
#include <thread>

#include "support/private_mounts.h"
#include "support/process_tree.h"
#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

constexpr const char* kPattern = "/proc/sys/kernel/core_pattern";

// A setting of the whole machine is changed only where the machine is the test's own (tests/vm).
bool in_test_machine() {
  std::array<char, 65> name{};
  return gethostname(name.data(), name.size() - 1) == 0 && std::string(name.data()) == "sbxvm";
}

}  // namespace

TEST_SUITE_BEGIN("v2");

TEST_CASE("a program can neither raise nor lower its core limit") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const std::string attempt :
       {":", "ulimit -c 0", "ulimit -S -c 0", "ulimit -H -c 0", "ulimit -c unlimited"}) {
    CAPTURE(attempt);
    const ProgramResult result =
        sandbox.run({"--", "/bin/bash", "-c", attempt + " 2>/dev/null; cat /proc/self/limits"});
    const std::size_t line = result.out.find("Max core file size");
    REQUIRE(line != std::string::npos);
    const std::string values = result.out.substr(line + 18, result.out.find('\n', line) - line - 18);
    std::string squeezed;
    for (const char c : values) {
      if (c != ' ' || (!squeezed.empty() && squeezed.back() != ' ')) squeezed += c;
    }
    CHECK(squeezed.starts_with("1 1 bytes"));
  }
}

TEST_CASE("a crash starts no program of the host") {
  SKIP_UNLESS(is_root() && in_test_machine(), "changes kernel.core_pattern: only in the virtual machine");
  const Sandbox sandbox;
  const std::string handler = sandbox.directory() + "/handler";
  const std::string mark = sandbox.directory() + "/handled";
  write_file(handler, "#!/bin/sh\necho $1 >>" + mark + "\ncat >/dev/null\n");
  REQUIRE(chmod(handler.c_str(), 0700) == 0);
  const std::string before = read_file(kPattern);
  write_file(kPattern, "|" + handler + " %P");
  // The control: outside it works.
  (void)run_program({"/bin/sh", "-c", "kill -SEGV $$"});
  const bool outside = wait_until(milliseconds(2'000), [&] { return !read_file(mark).empty(); });
  const std::string handled = read_file(mark);
  for (const std::string attempt : {":", "ulimit -c 0", "ulimit -S -c 0", "ulimit -c unlimited"}) {
    (void)sandbox.run({"--", "/bin/bash", "-c", attempt + " 2>/dev/null; kill -SEGV $$"});
  }
  std::this_thread::sleep_for(scaled(milliseconds(200)));
  const std::string after = read_file(mark);
  write_file(kPattern, before);
  CHECK(outside);
  CHECK_MESSAGE(after == handled, "handlers ran for pids " << after);
}

TEST_CASE("where crashes go to a socket, which no core limit stops, every run says so") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string pattern = sandbox.directory() + "/pattern";
  write_file(pattern, "@/run/coredump.socket\n");
  ProgramOptions options;
  options.before_exec = [&pattern] {
    enter_private_mounts();
    replace_by(kPattern, pattern.c_str());
  };
  const std::string said =
      "core_pattern of this host is a socket: a crash sends the program's memory to a socket of the host, "
      "whatever its core limit";
  const ProgramResult run = sandbox.run({"--", "/bin/true"}, options);
  CHECK(run.exit_status == 0);
  CHECK_MESSAGE(run.err == "sbxrun: " + said + "\n", run.err);
  const ProgramResult explained = sandbox.run({"--explain", "--", "/bin/true"}, options);
  CHECK_MESSAGE(explained.out.find("Careful: " + said + ".\n") != std::string::npos, explained.out);
}

// docs/threat-model.md names it as a weakness.
TEST_CASE("a file of no known format has kernels before 6.14 run modprobe outside") {
  SKIP_UNLESS(is_root() && in_test_machine(), "changes kernel.modprobe: only in the virtual machine");
  constexpr const char* kModprobe = "/proc/sys/kernel/modprobe";
  const Sandbox sandbox;
  const std::string counter = sandbox.directory() + "/modprobe";
  const std::string mark = sandbox.directory() + "/asked";
  write_file(counter, "#!/bin/sh\necho \"$@\" >>" + mark + "\nexit 1\n");
  REQUIRE(chmod(counter.c_str(), 0700) == 0);
  utsname names{};
  int major = 0;
  int minor = 0;
  REQUIRE(uname(&names) == 0);
  REQUIRE(std::sscanf(names.release, "%d.%d", &major, &minor) == 2);
  const std::string before = read_file(kModprobe);
  write_file(kModprobe, counter);
  (void)sandbox.shell("printf '\\001\\002ab' >x; chmod +x x; ./x");
  const std::string asked = read_file(mark);
  write_file(kModprobe, before);
  const bool old = major * 1000 + minor < 6014;
  CHECK_MESSAGE((asked.find("binfmt-6261\n") != std::string::npos) == old, asked);
}

TEST_SUITE_END();

}  // namespace sbx::test
