// Bad input to sbxrun: exit status 2 and a message with the flag and the value; above a ceiling, 125 and
// `rejected`. Nothing is run, and what is refused as a bad flag needs no root.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

using nlohmann::json;
using Strings = std::vector<std::string>;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// The options before "-- /bin/echo ran" are refused: status 2, `ran` is not printed, and every word is said.
void check_refused(const Sandbox& sandbox, const Strings& given, const Strings& words) {
  const std::string shown = json(given).dump(-1, ' ', true);
  Strings options{"--direct"};
  options.insert(options.end(), given.begin(), given.end());
  for (const char* argument : {"--", "/bin/echo", "ran"}) options.emplace_back(argument);
  ProgramOptions program;
  program.directory = sandbox.directory();
  const ProgramResult result = sandbox.sbxrun(options, program);
  INFO("options " << shown << " said: " << result.err);
  CHECK(result.exit_status == 2);
  CHECK(result.out.empty());
  CHECK(result.err.starts_with("sbxrun: "));
  for (const std::string& word : words) CHECK_MESSAGE(holds(result.err, word), "should say: " << word);
}

}  // namespace

TEST_CASE("a limit that is no positive number in its unit is refused by its flag's name and the value") {
  const Sandbox sandbox;
  const Strings numbers{"0",    "-1",  "-0",  "+1",  "99999999999999999999999999",
                        "abc",  "",    " ",   "1 ",  " 1",
                        "0x10", "1e3", "1,5", "nan", "inf",
                        "1..2", ".",   "1.",  "--",  "١"};
  const Strings sizes{"1T",           "1KB", "1KiB", "M", "1MM", "9223372036854775808",
                      "17179869184G", "0M",  "5%",   "1s"};
  const Strings times{"1d", "1us", "ms", "9223372036854775808ms", "9999999999999h", "0h", "1h30m", "1M5"};
  const Strings counts{"1K", "1.5", "9223372036854775808"};
  const Strings cpus{"0.001", "1c", "-0.5", "50%", "9223372036854775808"};
  const auto check = [&](const std::string& flag, const std::string& value) {
    check_refused(sandbox, {flag, value}, {flag, value.empty() ? "empty" : "'" + value + "'"});
  };
  const auto check_kind = [&](const Strings& flags, const Strings& values) {
    for (const std::string& flag : flags) {
      for (const Strings& list : {numbers, values}) {
        for (const std::string& value : list) check(flag, value);
      }
    }
  };
  check_kind({"--memory", "--output-limit", "--fsize", "--tmp", "--disk"}, sizes);
  check_kind({"--wall-time", "--timeout", "--cpu-time"}, times);
  check_kind({"--pids", "--pids-limit", "--nofile", "--inodes"}, counts);
  check_kind({"--cpus"}, cpus);
  check_refused(sandbox, {"-m", "0"}, {"-m", "'0'"});
  check_refused(sandbox, {"--memory="}, {"--memory", "empty"});
  // A message is one line whatever the value is.
  check_refused(sandbox, {"--memory", "1\n\x1b[2J"}, {"--memory", "'1??[2J'"});
}

TEST_CASE("--ulimit knows nofile and fsize") {
  const Sandbox sandbox;
  for (const char* value :
       {"nproc=5", "nofile", "=5", "nofile=", "nofile=0", "nofile=-1", "nofile=x", "fsize=0", "core=1"}) {
    check_refused(sandbox, {"--ulimit", value}, {"--ulimit"});
  }
  check_refused(sandbox, {"--ulimit", "nproc=5"}, {"'nproc=5'", "nofile"});
  check_refused(sandbox, {"--ulimit", "nofile=0"}, {"nofile", "'0'"});
}

TEST_CASE("nonsense in the soft part of --ulimit is refused, too") {
  const Sandbox sandbox;
  for (const char* value : {"nofile=x:500", "nofile=:500", "nofile=500:", "nofile=0:500", "nofile=1:2:500"}) {
    check_refused(sandbox, {"--ulimit", value}, {"--ulimit"});
  }
}

TEST_CASE("a bad name of an image, project, task or policy is refused") {
  const Sandbox sandbox;
  const std::string longest(65, 'a');
  for (const char* flag : {"--image", "--project", "--task"}) {
    for (const std::string& value : Strings{"..", ".x", "-x", "a/b", "../up", "a b", "ä", "a:b", "a*"}) {
      check_refused(sandbox, {std::string(flag) + "=" + value}, {flag, "'" + value + "'"});
    }
    check_refused(sandbox, {flag, ""}, {flag});
    check_refused(sandbox, {flag, longest}, {flag, longest});
  }
  for (const char* value : {"..", "a b", "-x"})
    check_refused(sandbox, {std::string("--policy=") + value}, {"--policy", value});
  check_refused(sandbox, {"--policy", ""}, {"--policy"});
}

TEST_CASE("a bad host name is refused") {
  const Sandbox sandbox;
  for (const std::string& value :
       Strings{"-a", "a-", "a_b", "a..b", ".a", "a.", "a b", "ä", "a/b", std::string(64, 'a')}) {
    check_refused(sandbox, {"--hostname=" + value}, {"--hostname", value});
  }
  check_refused(sandbox, {"-h", ""}, {"--hostname"});
}

TEST_CASE("a bad directory to start in is refused") {
  const Sandbox sandbox;
  for (const std::string& value :
       Strings{"tmp", "./tmp", "../tmp", "/tmp/..", "/a/../b", "/./a", "//a", "/a//b"}) {
    for (const char* flag : {"--cwd", "--workdir"})
      check_refused(sandbox, {flag, value}, {flag, "'" + value + "'"});
  }
  check_refused(sandbox, {"-w", "/" + std::string(5000, 'a')}, {"4095"});
  check_refused(sandbox, {"-w", ""}, {"--cwd"});
}

TEST_CASE("a bad bind is refused by what is wrong with it") {
  const Sandbox sandbox;
  struct Case {
    const char* value;
    const char* word;
  };
  for (const char* flag : {"--bind", "--volume"}) {
    for (const Case& one :
         {Case{"", ""}, Case{"/usr", "HOST:INSIDE"}, Case{":/data", "HOST:INSIDE"}, Case{"/usr:", ""},
          Case{"/usr:data", "data"}, Case{"/usr:/a/../b", ".."}, Case{"/usr:/data:", ""},
          Case{"/usr:/data:RW", "RW"}, Case{"/usr:/data:rw:ro", "rw:ro"}, Case{"/usr:/data:z", "z"}}) {
      check_refused(sandbox, {flag, one.value}, {flag, one.word});
    }
  }
  check_refused(sandbox, {"-v", "/usr"}, {"--volume", "'/usr'"});
}

TEST_CASE("a bind over what belongs to the sandbox is refused as a bad flag") {
  const Sandbox sandbox;
  for (const char* inside : {"/", "/proc", "/proc/x", "/sys", "/dev", "/dev/shm"}) {
    check_refused(sandbox, {"--bind", std::string("/usr:") + inside}, {"--bind", inside});
  }
  check_refused(sandbox, {"--bind", "/usr:/data", "-v", "/etc:/data"}, {"'/data'", "twice"});
}

TEST_CASE("a bad word for a mode is refused") {
  const Sandbox sandbox;
  check_refused(sandbox, {"--here=write"}, {"--here", "write"});
  check_refused(sandbox, {"--here="}, {"--here"});
  check_refused(sandbox, {"--workspace-mode", "copy", "--project", "a"}, {"--workspace-mode", "'copy'"});
  check_refused(sandbox, {"--workspace-mode", "ephemeral"}, {"--workspace-mode", "--project"});
  check_refused(sandbox, {"--json", "--tty"}, {"--json", "--tty"});
}

TEST_CASE("a bad variable, and a file of them that cannot be read, are refused") {
  const Sandbox sandbox;
  for (const char* flag : {"--env", "-e"}) {
    check_refused(sandbox, {flag, "=value"}, {"--env"});
    check_refused(sandbox, {flag, ""}, {"--env"});
  }
  check_refused(sandbox, {"--env-file", "missing"}, {"--env-file", "missing"});
  check_refused(sandbox, {"--env-file", sandbox.directory()}, {"--env-file", sandbox.directory()});
  write_file(sandbox.directory() + "/variables", "A=1\n\n=secret-value\n");
  check_refused(sandbox, {"--env-file", "variables"}, {"--env-file", "variables:3"});
}

TEST_CASE("a result that cannot be written is refused before anything runs") {
  const Sandbox sandbox;
  check_refused(sandbox, {"--result", "missing/result.json"}, {"missing/result.json"});
  check_refused(sandbox, {"--result", sandbox.directory()}, {sandbox.directory()});
  for (const char* value : {"fd:", "fd:x", "fd:-1", "fd:77", "fd:3x", "fd:99999999999999"}) {
    check_refused(sandbox, {"--result", value}, {"--result", value});
  }
}

TEST_CASE("a descriptor that cannot be written to is refused before anything runs") {
  const Sandbox sandbox;
  write_file(sandbox.directory() + "/file", "kept");
  const std::string file = sandbox.directory() + "/file";
  for (const int flags : {O_RDONLY, O_PATH, O_RDONLY | O_APPEND}) {
    ProgramOptions program;
    program.before_exec = [&] {
      const int fd = open(file.c_str(), flags);
      if (fd < 0 || dup2(fd, 55) != 55) _exit(99);
    };
    const ProgramResult result =
        sandbox.sbxrun({"--direct", "--result", "fd:55", "--", "/bin/echo", "ran"}, program);
    INFO("said: " << result.err);
    CHECK(result.exit_status == 2);
    CHECK(result.out.empty());
    CHECK(holds(result.err, "--result: 'fd:55' is not open for writing"));
  }
  check_refused(sandbox, {"--result", "fd:0"}, {"--result", "'fd:0'", "not open for writing"});
}

TEST_CASE("options that contradict each other are refused by both names") {
  const Sandbox sandbox;
  const std::string path = sandbox.directory() + "/sbxd.sock";
  check_refused(sandbox, {"--direct", "--socket", path}, {"--direct", "--socket"});
  check_refused(sandbox, {"--socket", path, "--direct"}, {"--direct", "--socket"});
  check_refused(sandbox, {"--dry-run", "--socket=" + path}, {"--direct", "--socket"});
}

TEST_CASE("an empty value where a file is named is refused, not taken for the default") {
  const Sandbox sandbox;
  for (const char* flag : {"--result", "--config", "--state-dir", "--run-dir", "--log"}) {
    check_refused(sandbox, {flag, ""}, {flag});
  }
}

TEST_CASE("an unknown option, a missing value and a missing command are refused") {
  const Sandbox sandbox;
  for (const char* option :
       {"--nonsense", "--memory-limit=5", "-z", "-Z5", "--privileged", "--rm", "--network=host"}) {
    check_refused(sandbox, {option}, {option});
  }
  check_refused(sandbox, {"--quiet=yes"}, {"--quiet"});
  for (const char* option : {"-m", "--memory", "--env", "-e", "--result", "--policy", "-w", "-v"}) {
    const ProgramResult result = sandbox.run({option});
    CHECK(result.exit_status == 2);
    CHECK_MESSAGE(holds(result.err, std::string("'") + option + "'"), result.err);
  }
  for (const Strings& arguments : {Strings{}, Strings{"--"}, Strings{"-m", "64M"}, Strings{"--json", "--"}}) {
    const ProgramResult result = sandbox.run(arguments);
    CHECK(result.exit_status == 2);
    CHECK_MESSAGE(holds(result.err, "no command"), result.err);
  }
}

TEST_CASE(
    "an option's name cannot be shortened, since the next release may have another that starts like it") {
  const Sandbox sandbox;
  for (const char* option : {"--mem=64M", "--wall=5s", "--jso", "--host=a"})
    check_refused(sandbox, {option}, {option});
}

}  // namespace sbx::test
