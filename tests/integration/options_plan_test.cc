// What sbxrun answers without running anything: --dry-run, --explain, --help, --version, --check. None of it
// needs root or makes anything on the host.
#include <doctest/doctest.h>
#include <grp.h>
#include <unistd.h>

#include <filesystem>

#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

using Strings = std::vector<std::string>;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

constexpr uid_t kNobody = 65534;

ProgramOptions as_nobody() {
  ProgramOptions program;
  program.directory = "/";
  program.before_exec = [] {
    if (setgroups(0, nullptr) != 0 || setgid(kNobody) != 0 || setuid(kNobody) != 0) _exit(99);
  };
  return program;
}

// False where the programs lie in a directory that only root may enter.
bool nobody_can_run_it(const Sandbox& sandbox) {
  return !is_root() || sandbox.sbxrun({"--version"}, as_nobody()).exit_status == 0;
}

void check_nothing_made(const Sandbox& sandbox) {
  for (const auto& entry : std::filesystem::directory_iterator(sandbox.directory())) {
    CHECK_MESSAGE(false, "was made: " << entry.path().string());
  }
}

// As root, who could make something, and as somebody who may not.
std::vector<ProgramOptions> callers(const Sandbox& sandbox) {
  std::vector<ProgramOptions> list{ProgramOptions{}};
  if (is_root() && nobody_can_run_it(sandbox)) list.push_back(as_nobody());
  return list;
}

}  // namespace

TEST_CASE("--dry-run prints the plan, needs no root and makes nothing") {
  const Sandbox sandbox;
  for (const ProgramOptions& caller : callers(sandbox)) {
    const ProgramResult result = sandbox.sbxrun({"--dry-run", "-m", "64M", "--pids", "17", "-h", "box", "-w",
                                                 "/tmp", "--", "/bin/echo", "an argument"},
                                                caller);
    INFO("said: " << result.err);
    CHECK(result.exit_status == 0);
    CHECK(result.err.empty());
    for (const char* word :
         {"memory: 64M", "pids: 17", "wall-time: 1m", "box", "/tmp", "policy default",
          "'/bin/echo' 'an argument'", "seccomp", "namespaces: user mount pid net ipc uts cgroup"}) {
      CHECK_MESSAGE(holds(result.out, word), result.out);
    }
    check_nothing_made(sandbox);
  }
}

TEST_CASE("--dry-run shows what a project, --here and binds would mount and makes none of it") {
  const Sandbox sandbox;
  const ProgramResult result =
      sandbox.sbxrun({"--dry-run", "--project", "alpha", "--workspace-mode", "ephemeral", "--here=cow",
                      "--bind", "/usr/share:/data", "--", "/bin/true"});
  CHECK_MESSAGE(result.exit_status == 0, result.err);
  for (const char* word : {"/projects/alpha/", "/data", "/usr/share", "overlay"})
    CHECK_MESSAGE(holds(result.out, word), word);
  check_nothing_made(sandbox);
}

TEST_CASE("a plan that the policy refuses is refused by --dry-run and --explain, too") {
  const Sandbox sandbox;
  for (const char* flag : {"--dry-run", "--explain"}) {
    const ProgramResult ceiling = sandbox.sbxrun({flag, "-m", "9G", "--", "/bin/true"});
    CHECK(ceiling.exit_status == 125);
    CHECK(ceiling.out.empty());
    CHECK_MESSAGE((holds(ceiling.err, "9G") && holds(ceiling.err, "8G")), ceiling.err);
    CHECK(sandbox.sbxrun({flag, "--policy", "no-such", "--", "/bin/true"}).exit_status == 2);
    CHECK(sandbox.sbxrun({flag, "-m", "0", "--", "/bin/true"}).exit_status == 2);
    CHECK(sandbox.sbxrun({flag}).exit_status == 2);
  }
  check_nothing_made(sandbox);
}

TEST_CASE("--explain says in words what the program will be allowed") {
  const Sandbox sandbox;
  for (const ProgramOptions& caller : callers(sandbox)) {
    const ProgramResult result =
        sandbox.sbxrun({"--explain", "-m", "64M", "--cpus", "0.5", "-v", "/usr/share:/data", "--bind",
                        "/usr/lib:/lib2", "--", "/bin/true"},
                       caller);
    INFO("said: " << result.err);
    CHECK(result.exit_status == 0);
    CHECK(result.err.empty());
    for (const char* word : {"64M", "0.5", "60s", "MAY CHANGE the host's '/usr/share'",
                             "may read the host's '/usr/lib'", "loopback", "/workspace", "uid 1000"}) {
      if (std::string(word) == "60s") {
        CHECK_MESSAGE((holds(result.out, "1m ") || holds(result.out, "60s")), result.out);
      } else {
        CHECK_MESSAGE(holds(result.out, word), result.out);
      }
    }
    check_nothing_made(sandbox);
  }
  CHECK(holds(sandbox.sbxrun({"--explain", "--project", "alpha", "--", "true"}).out, "'alpha'"));
  CHECK(holds(sandbox.sbxrun({"--explain", "--here=rw", "--", "true"}).out, "MAY CHANGE"));
}

TEST_CASE("--explain tells every limit that a flag sets, and the names of variables") {
  const Sandbox sandbox;
  struct Case {
    Strings options;
    const char* words;
  };
  for (const Case& one :
       {Case{{"--memory", "77M"}, "above 77M of memory"}, Case{{"--cpus", "0.7"}, "0.7 CPUs"},
        Case{{"--pids", "77"}, "77 processes"}, Case{{"--wall-time", "17s"}, "after 17s of wall time"},
        Case{{"--cpu-time", "17s"}, "after 17s of CPU time"},
        Case{{"--output-limit", "7K"}, "above 7K of output"}, Case{{"--json"}, "above 8M of output"},
        Case{{"--json", "--output-limit", "7K"}, "above 7K of output"},
        Case{{"--nofile", "77"}, "77 open files per process"},
        Case{{"--fsize", "77M"}, "no file larger than 77M (--fsize)"},
        Case{{"--ulimit", "fsize=7M"}, "no file larger than 7M (--fsize)"},
        Case{{"--tmp", "77M"}, "77M of memory (--tmp)"}, Case{{"--disk", "77M"}, "77M of memory (--disk)"},
        Case{{"--inodes", "77"}, "77 files and directories (--inodes)"},
        Case{{"-e", "TOKEN=secret"}, "given the variable TOKEN."},
        Case{{"-e", "A=1", "--env", "B="}, "given the variables A and B."}}) {
    Strings arguments{"--explain"};
    arguments.insert(arguments.end(), one.options.begin(), one.options.end());
    arguments.insert(arguments.end(), {"--", "true"});
    const ProgramResult result = sandbox.sbxrun(arguments);
    CHECK_MESSAGE(holds(result.out, one.words), "should say: " << one.words << "\n"
                                                               << result.out << result.err);
    CHECK_FALSE(holds(result.out, "secret"));
  }
  CHECK_FALSE(holds(sandbox.sbxrun({"--explain", "--", "true"}).out, "8M"));
}

TEST_CASE("--help names every option and every exit status on standard output") {
  const Sandbox sandbox;
  for (const ProgramOptions& caller : callers(sandbox)) {
    const ProgramResult result = sandbox.sbxrun({"--help"}, caller);
    CHECK(result.exit_status == 0);
    CHECK(result.err.empty());
    for (const char* word : {"-m, --memory",
                             "-e, --env",
                             "--env-file",
                             "-w, --cwd, --workdir",
                             "-h, --hostname",
                             "-t, --tty",
                             "-i, --interactive",
                             "--pids, --pids-limit",
                             "--ulimit",
                             "-v, --volume",
                             "--bind",
                             "--here",
                             "--image",
                             "--policy",
                             "--project",
                             "--workspace-mode",
                             "--cpus",
                             "--wall-time",
                             "--cpu-time",
                             "--output-limit",
                             "--nofile",
                             "--fsize",
                             "--tmp",
                             "--disk",
                             "--inodes",
                             "--json",
                             "--result",
                             "--quiet",
                             "--dry-run",
                             "--explain",
                             "--check",
                             "--version",
                             "--direct",
                             "--socket",
                             "--state-dir",
                             "--run-dir",
                             "--log",
                             "--config",
                             "124",
                             "125",
                             "126/127",
                             "130/143",
                             "137",
                             "159"}) {
      CHECK_MESSAGE(holds(result.out, word), word);
    }
  }
  CHECK(sandbox.sbxrun({"--help", "--", "/bin/false"}).exit_status == 0);
  check_nothing_made(sandbox);
}

TEST_CASE("--version prints the name and a number") {
  const Sandbox sandbox;
  for (const ProgramOptions& caller : callers(sandbox)) {
    const ProgramResult result = sandbox.sbxrun({"--version"}, caller);
    CHECK(result.exit_status == 0);
    CHECK(result.out.starts_with("sbxrun "));
    CHECK(result.out.find_first_of("0123456789") != std::string::npos);
    CHECK(result.out.find('\n') == result.out.size() - 1);
  }
}

TEST_CASE("a full disk behind --help or --version is a failure") {
  const Sandbox sandbox;
  for (const std::string flag : {"--help", "--version", "--dry-run", "--explain"}) {
    const ProgramResult result = run_program({"/bin/sh", "-c", "exec \"$0\" \"$1\" -- /bin/true > /dev/full",
                                              program_directory() + "/sbxrun", flag});
    CHECK_MESSAGE(result.exit_status == 125, flag << ": " << result.err);
  }
}

TEST_CASE("--check is the doctor") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const ProgramResult checked = sandbox.sbxrun({"--check"});
  const ProgramResult doctor = run_program({program_directory() + "/sbxctl", "doctor"});
  CHECK(checked.exit_status == doctor.exit_status);
  CHECK_MESSAGE(holds(checked.out, "cgroup"), checked.err);
}

}  // namespace sbx::test
