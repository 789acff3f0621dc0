// Descriptors, environment and directory of a program: its own three, made from scratch, whatever the caller
// had.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <set>

#include "isolation.h"

namespace sbx::test {
namespace {

Answers list_fds(const Sandbox& sandbox, ProgramOptions options = {}) {
  const ProgramResult result = sandbox.run({bind_probes(), "--", kProbes + "/list_fds"}, std::move(options));
  return parse_answers(result.out);
}

std::set<std::string> names_of(const Answers& answers) {
  std::set<std::string> names;
  for (const auto& [name, value] : answers) names.insert(name);
  return names;
}

const std::set<std::string> kStandard{"0", "1", "2"};

// What the descriptor that `make` gives as standard input turns into inside, or how the run is refused.
std::string standard_input_inside(const Sandbox& sandbox, const std::function<int()>& make) {
  ProgramOptions options;
  options.before_exec = [&make] { (void)dup2(make(), 0); };
  const ProgramResult result = sandbox.run({bind_probes(), "--", kProbes + "/list_fds"}, options);
  if (result.exit_status != 0) return "refused " + std::to_string(result.exit_status);
  const Answers answers = parse_answers(result.out);
  CHECK(names_of(answers) == kStandard);
  return answer(answers, "0");
}

}  // namespace

TEST_CASE("closed standard streams of the caller are open inside and lead nowhere") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  ProgramOptions options;
  options.before_exec = [] {
    (void)close(0);
    (void)close(2);
  };
  CHECK(names_of(list_fds(sandbox, options)) == kStandard);
}

TEST_CASE("a directory as standard input does not become a way out") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const auto directory = [] { return open("/", O_RDONLY | O_DIRECTORY); };
  const auto path = [] { return open("/etc", O_PATH); };
  for (const std::string& became :
       {standard_input_inside(sandbox, directory), standard_input_inside(sandbox, path)}) {
    CHECK_MESSAGE((became == "pipe" || became.starts_with("refused")), became);
  }
}

TEST_CASE("sockets, devices, memfds and files open in both directions do not come in") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string file = sandbox.directory() + "/file";
  write_file(file, "text");
  CHECK(standard_input_inside(sandbox, [&] { return open(file.c_str(), O_RDWR); }) == "pipe");
  const auto not_itself = [&](const std::function<int()>& make) {
    const std::string became = standard_input_inside(sandbox, make);
    CHECK_MESSAGE((became == "pipe" || became.starts_with("refused")), became);
  };
  not_itself([] { return open("/dev/zero", O_RDONLY); });
  not_itself([] {
    int ends[2] = {-1, -1};
    (void)socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    (void)shutdown(ends[0], SHUT_RDWR);
    return ends[0];
  });
  not_itself([] { return memfd_create("test", 0); });
}

TEST_CASE("a file that is passed in cannot be used in the other direction") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string file = sandbox.directory() + "/file";
  write_file(file, "text\n");
  CHECK(chmod(file.c_str(), 0666) == 0);
  CHECK(chmod(sandbox.directory().c_str(), 0755) == 0);
  ProgramOptions options;
  options.before_exec = [&file] { (void)dup2(open(file.c_str(), O_RDONLY), 0); };
  const std::string rewrite = "read line; echo got $line; echo changed >/proc/self/fd/0";
  CHECK(run_program({"/bin/sh", "-c", rewrite}, options).out == "got text\n");
  CHECK(read_file(file) == "changed\n");
  write_file(file, "text\n");
  CHECK(sandbox.run({"--", "/bin/sh", "-c", rewrite}, options).out == "got text\n");
  CHECK(read_file(file) == "text\n");

  options.before_exec = [&file] { (void)dup2(open(file.c_str(), O_WRONLY | O_APPEND), 1); };
  const std::string read_back = "exec 3>&1; head -n 1 /proc/self/fd/3 >&2";
  CHECK(run_program({"/bin/sh", "-c", read_back}, options).err == "text\n");
  options.timeout = std::chrono::seconds(20 * time_scale());
  CHECK(sandbox.run({"--wall-time=5", "--", "/bin/sh", "-c", read_back}, options).err.find("text") ==
        std::string::npos);
}

TEST_CASE("what the caller's file held before stays, when output is appended to it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string log = sandbox.directory() + "/log";
  ProgramOptions options;
  options.before_exec = [&log] { (void)dup2(open(log.c_str(), O_WRONLY | O_APPEND), 1); };
  // dd takes O_APPEND off its output, cuts the file and writes at its start.
  const std::string rewrite =
      "echo new; echo forged | dd of=/dev/fd/1 2>/dev/null; truncate -s 3 /dev/fd/1 2>/dev/null";
  write_file(log, "earlier\n");
  (void)run_program({"/bin/sh", "-c", rewrite}, options);
  CHECK(read_file(log).find("earlier") == std::string::npos);
  write_file(log, "earlier\n");
  (void)sandbox.run({"--", "/bin/sh", "-c", rewrite}, options);
  CHECK(read_file(log).starts_with("earlier\nnew\n"));
}

TEST_CASE("the caller's terminal is not the program's") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  REQUIRE(master >= 0);
  REQUIRE(grantpt(master) == 0);
  REQUIRE(unlockpt(master) == 0);
  const std::string terminal = ptsname(master);
  ProgramOptions options;
  options.before_exec = [&terminal] {
    (void)setsid();
    const int slave = open(terminal.c_str(), O_RDWR);
    (void)ioctl(slave, TIOCSCTTY, 0);
    (void)dup2(slave, 0);
    (void)dup2(slave, 2);
  };
  const std::string script =
      "sh -c ': </dev/tty' 2>/dev/null && echo reached; test -t 0 && echo input; "
      "test -t 2 && echo error; echo end";
  CHECK(run_program({"/bin/sh", "-c", script}, options).out == "reached\ninput\nerror\nend\n");
  CHECK(sandbox.run({"--", "/bin/sh", "-c", script}, options).out == "end\n");
  (void)close(master);
}

TEST_CASE("the environment is made from scratch") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  ProgramOptions options;
  options.environment = {{"AWS_SECRET_ACCESS_KEY", "hunter2"},
                         {"LD_PRELOAD", ""},
                         {"HOME", "/root"},
                         {"PATH", "/usr/bin:/bin"},
                         {"LANG", "de_DE"},
                         {"SUDO_USER", "alice"}};
  const Answers inside = parse_answers(sandbox.run({"--", "/usr/bin/env"}, options).out);
  CHECK(names_of(inside) == std::set<std::string>{"HOME", "LANG", "LOGNAME", "PATH", "USER"});
  CHECK(answer(inside, "HOME") == "/home/sandbox");
  CHECK(answer(inside, "USER") == "sandbox");
  CHECK(answer(inside, "LANG") == "C.UTF-8");
  CHECK(answer(inside, "PATH") == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  const std::string all =
      sandbox.run({"--", "/bin/sh", "-c", "cat /proc/*/environ /proc/*/cmdline"}, options).out;
  CHECK(all.find("hunter2") == std::string::npos);
}

TEST_CASE("a program starts in the workspace and cannot climb out of it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  CHECK(said_inside(sandbox, "pwd; readlink /proc/self/cwd") ==
        "/workspace/agent_workspace\n/workspace/agent_workspace");
  const std::string climb = "cd ../../../../../../../../..; pwd; cat ." + sandbox.directory() + "/canary";
  write_file(sandbox.directory() + "/canary", "secret");
  CHECK(said_inside(sandbox, climb) == "/");
  CHECK(said_inside(sandbox, "cd -P /proc/self/root/..; pwd; ls -d workspace") == "/\nworkspace");
}

}  // namespace sbx::test
