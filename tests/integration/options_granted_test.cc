// What policy and host refuse: a limit above a ceiling, a policy that cannot be used, an image that is not
// there, and a value that the kernel cannot take.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstring>

#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

using nlohmann::json;
using Strings = std::vector<std::string>;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

Strings direct(const Strings& options) {
  Strings all{"--direct"};
  all.insert(all.end(), options.begin(), options.end());
  for (const char* argument : {"--", "/bin/echo", "ran"}) all.emplace_back(argument);
  return all;
}

constexpr const char* kPolicy =
    "name: mine\ndescription: For a test.\n"
    "limits: {memory: 100M, cpus: 1, pids: 33, wall-time: 30s, cpu-time: none, nofile: 128, fsize: none,\n"
    "  tmp: 16M, disk: 16M, inodes: 1000, output-limit: 1M}\n"
    "ceilings: {pids: 40, cpu-time: 5s, output-limit: 2M}\n"
    "seccomp: default\nwritable_root: false\nworkspace: {layout: split}\n"
    "wall_time_with_tty: limited\nallow_degraded: []\n";

std::string changed_policy(const char* from, const char* to) {
  std::string text = kPolicy;
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, std::strlen(from), to);
}

}  // namespace

TEST_CASE("a request above a ceiling is rejected by field, value and ceiling") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  struct Case {
    Strings options;
    const char* field;
    const char* value;
    const char* ceiling;
  };
  const std::vector<Case> cases{{{"-m", "9G"}, "--memory", "9G", "8G"},
                                {{"--memory", "8193M"}, "--memory", "8193M", "8G"},
                                {{"--wall-time", "2h"}, "--wall-time", "2h", "1h"},
                                {{"--timeout", "61m"}, "--wall-time", "61m", "1h"},
                                {{"--policy", "strict", "--cpus", "1.5"}, "--cpus", "1.5", "1"},
                                {{"--policy", "strict", "-m", "1025M"}, "--memory", "1025M", "1G"},
                                {{"--policy", "strict", "--wall-time", "61s"}, "--wall-time", "61s", "1m"}};
  for (const Case& one : cases) {
    INFO("options " << json(one.options).dump());
    const ProgramResult result = sandbox.sbxrun(direct(one.options));
    CHECK(result.exit_status == 125);
    CHECK(result.out.empty());
    for (const char* word : {one.field, one.value, one.ceiling})
      CHECK_MESSAGE(holds(result.err, word), result.err);

    Strings json_options = one.options;
    json_options.insert(json_options.end(), {"--", "/bin/echo", "ran"});
    const json object = sandbox.run_json(json_options);
    CHECK(object["outcome"] == "rejected");
    CHECK(object["status"] == "error");
    CHECK(object["started_at"] == nullptr);
    CHECK(holds(object["message"], one.ceiling));
  }
  CHECK(sandbox.log_lines().size() == 2 * cases.size());
}

TEST_CASE("a request up to the ceiling is granted") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Strings most{"--policy", "strict", "-m", "1G", "--cpus", "1", "--wall-time", "60s"};
  CHECK(sandbox.sbxrun(direct(most)).exit_status == 0);
  CHECK(sandbox.sbxrun(direct({"-m", "8G", "--wall-time", "1h"})).exit_status == 0);
}

TEST_CASE("a policy's own ceilings hold, and one without a default must be asked below it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string path = sandbox.directory() + "/mine.yaml";
  write_file(path, kPolicy);
  for (const Strings& options : {Strings{"--cpu-time", "5s", "--pids", "41"}, Strings{"--cpu-time", "6s"},
                                 Strings{"--cpu-time", "5s", "--output-limit", "3M"}, Strings{}}) {
    Strings all{"--policy", path};
    all.insert(all.end(), options.begin(), options.end());
    const ProgramResult result = sandbox.sbxrun(direct(all));
    CHECK(result.exit_status == 125);
    CHECK_MESSAGE(holds(result.err, "'mine'"), result.err);
  }
  CHECK(sandbox.sbxrun(direct({"--policy", path, "--cpu-time", "5s", "--pids", "40"})).exit_status == 0);
}

TEST_CASE("a policy that cannot be found or read ends with 2 and says which") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const ProgramResult unknown = sandbox.sbxrun(direct({"--policy", "no-such-policy"}));
  CHECK(unknown.exit_status == 2);
  for (const char* word : {"'no-such-policy'", "default", "permissive", "strict"}) {
    CHECK_MESSAGE(holds(unknown.err, word), unknown.err);
  }
  for (const std::string& path : {sandbox.directory() + "/missing.yaml", sandbox.directory() + "/"}) {
    const ProgramResult result = sandbox.sbxrun(direct({"--policy", path}));
    CHECK(result.exit_status == 2);
    CHECK_MESSAGE(holds(result.err, sandbox.directory()), result.err);
  }
  CHECK(sandbox.log_lines().empty());
}

TEST_CASE("a policy with a mistake ends with 2 and names file, line and column") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string path = sandbox.directory() + "/mine.yaml";
  struct Case {
    const char* from;
    const char* to;
    const char* place;
    const char* word;
  };
  for (const Case& one :
       {Case{"seccomp: default", "seccomp: default\nsurprise: 1", ":7:1", "surprise"},
        Case{"pids: 33", "pids: many", ":3:", "many"}, Case{"pids: 33", "pids: 0", ":3:", "0"},
        Case{"writable_root: false", "writable_root: 5", ":7:", "writable_root"},
        Case{"pids: 33", "pids: 33, pids: 34", ":3:", "pids"}, Case{"name: mine", "name: [", ":", ""},
        Case{"pids: 33, ", "", "", "pids"}}) {
    write_file(path, changed_policy(one.from, one.to));
    const ProgramResult result = sandbox.sbxrun(direct({"--policy", path}));
    INFO(std::string(one.to) << " said: " << result.err);
    CHECK(result.exit_status == 2);
    CHECK(result.out.empty());
    CHECK(holds(result.err, path + one.place));
    CHECK(holds(result.err, one.word));
  }
  write_file(path, changed_policy("seccomp: default", "seccomp: nothing"));
  const ProgramResult result = sandbox.sbxrun(direct({"--policy", path}));
  CHECK(result.exit_status == 2);
  CHECK_MESSAGE(holds(result.err, "'nothing'"), result.err);
}

TEST_CASE("a policy that others can change is refused") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string path = sandbox.directory() + "/mine.yaml";
  write_file(path, changed_policy("cpu-time: 5s, ", ""));
  CHECK(sandbox.sbxrun(direct({"--policy", path})).exit_status == 0);
  REQUIRE(chmod(path.c_str(), 0666) == 0);
  const ProgramResult result = sandbox.sbxrun(direct({"--policy", path}));
  CHECK(result.exit_status == 2);
  CHECK_MESSAGE(holds(result.err, "chmod"), result.err);
}

TEST_CASE("an unknown image is an error with the known ones and the command to make one") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const ProgramResult result = sandbox.sbxrun(direct({"--image", "cobol-60"}));
  CHECK(result.exit_status == 125);
  for (const char* word : {"'cobol-60'", "host", "sbxctl images build"})
    CHECK_MESSAGE(holds(result.err, word), result.err);
  const json object = sandbox.run_json({"--image", "cobol-60", "--", "/bin/true"});
  CHECK(object["outcome"] == "setup_failed");
  CHECK(object["image"]["name"] == "cobol-60");
}

TEST_CASE("a place that is not there is an error that names it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const ProgramResult bind = sandbox.sbxrun(direct({"--bind", sandbox.directory() + "/missing:/data"}));
  CHECK(bind.exit_status == 125);
  CHECK_MESSAGE(holds(bind.err, sandbox.directory() + "/missing"), bind.err);
  const ProgramResult cwd = sandbox.sbxrun(direct({"--cwd", "/no/such/place"}));
  CHECK(cwd.exit_status == 125);
  CHECK_MESSAGE(holds(cwd.err, "/no/such/place"), cwd.err);
  const ProgramResult file = sandbox.sbxrun(direct({"--bind", "/etc/passwd:/data:cow"}));
  CHECK(file.exit_status != 0);
  CHECK_MESSAGE(holds(file.err, "/etc/passwd"), file.err);
}

TEST_CASE(
    "a value that is a number but more than the kernel takes is granted as much as there is, or names its "
    "flag") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string most = "9223372036854775807";
  for (const char* flag : {"--memory", "--pids", "--cpu-time", "--output-limit", "--nofile", "--fsize",
                           "--tmp", "--disk", "--inodes", "--wall-time", "--cpus"}) {
    const std::string name = flag;
    const std::string value = name == "--cpus"          ? "9223372036854775"
                              : name.ends_with("-time") ? most + "ms"
                                                        : most;
    const ProgramResult result = sandbox.sbxrun(direct({"--policy", "permissive", flag, value}));
    INFO(name << " " << value << ": " << result.exit_status << " " << result.err);
    CHECK((result.exit_status == 0 || holds(result.err, flag)));
    CHECK((result.exit_status == 0) == (result.out == "ran\n"));
  }
}

}  // namespace sbx::test
