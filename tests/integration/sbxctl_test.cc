// What holds for every command of sbxctl: wrong usage, places, output that cannot be written. And the usage
// of sbxbench, which is read in the same way.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "support/sandbox.h"

namespace sbx::test {
namespace {

using Strings = std::vector<std::string>;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

ProgramResult program(const std::string& name, const Strings& arguments, ProgramOptions options = {}) {
  options.unset = {"SBX_STATE_DIR", "SBX_CONFIG"};
  Strings all{program_directory() + "/" + name};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run_program(all, options);
}

ProgramResult sbxctl(const Strings& arguments, ProgramOptions options = {}) {
  return program("sbxctl", arguments, std::move(options));
}

}  // namespace

TEST_CASE("wrong usage is status 2 and one line that names what was wrong") {
  struct Case {
    std::string name;
    Strings arguments;
    std::string words;
  };
  for (const Case& one : {
           Case{"sbxctl",
                {},
                "a command is missing; the commands are doctor, images, languages, token, projects, tx, "
                "snapshots, files, "
                "alerts, top, history, show, stats, audit, cleanup; see "
                "'sbxctl "
                "--help'"},
           Case{"sbxctl",
                {"bogus"},
                "unknown command 'bogus'; the commands are doctor, images, languages, token, projects, tx, "
                "snapshots, files, "
                "alerts, top, history, show, stats, audit, cleanup"},
           Case{"sbxctl", {"--bogus"}, "unknown option '--bogus'"},
           Case{"sbxctl", {"--bogus", "images", "list"}, "--bogus"},
           Case{"sbxctl", {"bog\x1b[31mus\nx"}, "unknown command 'bog?[31mus?x'"},
           Case{"sbxctl", {"--state-dir"}, "--state-dir"},
           Case{"sbxctl",
                {"images"},
                "a command is missing; the commands are build, import, warm, list, inspect, verify, remove, "
                "prune"},
           Case{"sbxctl", {"images", "bogus"}, "unknown command 'bogus'; the commands are build, import"},
           Case{"sbxctl", {"images", "list", "--bogus"}, "--bogus; see 'sbxctl images list --help'"},
           Case{"sbxctl", {"images", "list", "extra"}, "extra"},
           Case{"sbxctl", {"images", "import"}, "TARBALL"},
           Case{"sbxctl", {"images", "import", "x.tar", "--sidecar"}, "--sidecar"},
           Case{"sbxctl", {"images", "inspect"}, "NAME"},
           Case{"sbxctl", {"images", "remove"}, "NAME"},
           Case{"sbxbench", {}, "a command is missing; the commands are direct, after-quiet"},
           Case{"sbxbench", {"bogus"}, "unknown command 'bogus'"},
           Case{"sbxbench", {"direct", "--rounds", "0"}, "--rounds"},
       }) {
    const ProgramResult result = program(one.name, one.arguments);
    INFO(nlohmann::json(one.arguments).dump() << " said: " << result.out << result.err);
    CHECK(result.exit_status == 2);
    CHECK(result.out.empty());
    CHECK(result.err.starts_with(one.name + ": "));
    CHECK(holds(result.err, one.words));
    CHECK(result.err.find('\n') == result.err.size() - 1);
  }
}

TEST_CASE("sbxctl: output that could not be written is an error") {
  const Sandbox sandbox;
  for (const Strings& arguments : {Strings{"images", "list", "--json"}, Strings{"doctor", "--json"},
                                   Strings{"doctor"}, Strings{"--version"}, Strings{"--help"}}) {
    Strings all{"--state-dir", sandbox.state_dir()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    ProgramOptions full;
    full.before_exec = [] { (void)dup2(open("/dev/full", O_WRONLY), STDOUT_FILENO); };
    ProgramOptions closed;
    closed.before_exec = [] { (void)close(STDOUT_FILENO); };
    for (const ProgramOptions& options : {full, closed}) {
      const ProgramResult result = sbxctl(all, options);
      INFO(arguments.back() << " said: " << result.err);
      CHECK(result.exit_status == 1);
      CHECK(holds(result.err, "standard output"));
    }
  }
}

TEST_CASE("sbxctl: a place from a variable must be absolute, one from a flag need not be") {
  const Sandbox sandbox;
  const Strings list{"images", "list", "--json"};
  for (const std::string variable : {"SBX_STATE_DIR", "SBX_CONFIG"}) {
    ProgramOptions options;
    options.directory = sandbox.directory();
    options.environment = {{variable, "relative"}};
    const ProgramResult result = sbxctl(list, options);
    CHECK(result.exit_status == 2);
    CHECK(result.err == "sbxctl: " + variable + ": 'relative' is not an absolute path\n");
    // A flag goes before its variable.
    write_file(sandbox.directory() + "/empty.yaml", "run_dir: /run/sbx\n");
    const ProgramResult given =
        sbxctl({"--state-dir", "state", "--config", "empty.yaml", "images", "list", "--json"}, options);
    CHECK_MESSAGE(given.exit_status == 0, given.err);
  }
  ProgramOptions options;
  options.environment = {{"SBX_CONFIG", "/no/such.yaml"}};
  const ProgramResult result = sbxctl(list, options);
  CHECK(result.exit_status == 2);
  CHECK_MESSAGE(holds(result.err, "SBX_CONFIG: there is no file '/no/such.yaml'"), result.err);
}

}  // namespace sbx::test
