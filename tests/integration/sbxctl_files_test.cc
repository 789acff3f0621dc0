// Files of a project beside its runs: sbxctl files.
#include <sys/stat.h>

#include <filesystem>

#include "isolation.h"
#include "support/project_view.h"

namespace sbx::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Strings = std::vector<std::string>;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

class Files {
 public:
  explicit Files(const Sandbox& sandbox) : sandbox_(sandbox) {}

  ProgramResult operator()(Strings words, const ProgramOptions& options = {}) const {
    words.insert(words.begin(), {program_directory() + "/sbxctl", "--state-dir=" + sandbox_.state_dir(),
                                 "--log=" + sandbox_.log(), "files"});
    words.insert(words.begin() + 5, "--project=p");
    return run_program(words, options);
  }
  [[nodiscard]] json told(Strings words, const std::string& input = "") const {
    words.emplace_back("--json");
    ProgramOptions options;
    options.input = input;
    const ProgramResult result = (*this)(words, options);
    REQUIRE_MESSAGE(result.exit_status == 0, result.err);
    return json::parse(result.out);
  }
  [[nodiscard]] ProgramResult with_input(const Strings& words, const std::string& input) const {
    ProgramOptions options;
    options.input = input;
    return (*this)(words, options);
  }

 private:
  const Sandbox& sandbox_;
};

std::string in_sandbox(const Sandbox& sandbox, const std::string& script) {
  const json result = sandbox.run_json({"--project=p", "--disk=16M", "--", "/bin/sh", "-c", script});
  REQUIRE_MESSAGE(result["outcome"] == "exited", result.dump());
  return result["stdout"]["text"];
}

}  // namespace

TEST_SUITE_BEGIN("v2");

TEST_CASE("files go into a project for its programs, and what these made comes out") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Files files(sandbox);
  CHECK(files({"ls"}).exit_status == 1);
  CHECK(in_sandbox(sandbox, "true").empty());
  const json put = files.told({"put", "-", "--as=data.csv"}, "a,b\n1,2\n")[0];
  CHECK(put["path"] == "project_files/data.csv");
  CHECK(put["created"] == true);
  CHECK(in_sandbox(sandbox,
                   "cat ../project_files/data.csv; ls -l ../project_files | grep -c sandbox; "
                   "echo made >../outputs/made; ln -s /etc/passwd ../outputs/link") == "a,b\n1,2\n1\n");
  CHECK(files({"get", "outputs/made"}).out == "made\n");
  const std::string id = put["id"];
  CHECK(files({"get", id, "--range=0-2"}).out == "a,b");
  CHECK(files({"get", id, "--range=-4", "-o", "-"}).out == "1,2\n");
  const ProgramResult link = files({"get", "outputs/link"});
  CHECK(link.exit_status == 1);
  CHECK_MESSAGE(holds(link.err, "is a symbolic link"), link.err);
  const json listed = files.told({"ls", "outputs"})["files"];
  REQUIRE(listed.size() == 2);
  CHECK(listed[0]["target"] == "/etc/passwd");
  CHECK(listed[1]["stored"].is_null());
  CHECK(files.told({"check", "--adopt"})["adopted"] == json({"outputs/made"}));
  CHECK(files.told({"ls", "outputs"})["files"][1]["stored"]["mime"] == "text/plain");
  CHECK(files({"mv", id, "outputs/sub/"}).exit_status == 0);
  CHECK(in_sandbox(sandbox, "cat ../outputs/sub/data.csv") == "a,b\n1,2\n");
  const std::string place = sandbox.directory() + "/fetched.tar";
  CHECK(files({"get", "outputs", "--archive=tar", "-o", place}).exit_status == 0);
  CHECK(run_program({"/bin/tar", "-xOf", place, "outputs/sub/data.csv"}).out == "a,b\n1,2\n");
  CHECK(files({"rm", "outputs/sub"}).exit_status == 1);
  CHECK(files({"rm", "--recursive", "outputs/sub"}).exit_status == 0);
  CHECK(in_sandbox(sandbox, "ls ../outputs") == "link\nmade\n");
}

TEST_CASE("who is refused because of what is there gets 3, and nothing changed") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Files files(sandbox);
  const json a = files.told({"put", "-", "--as=a", "--policy=strict"}, "one")[0];
  (void)files.told({"put", "-", "--as=b", "--policy=strict"}, "two");
  CHECK(
      files.with_input({"put", "-", "--as=a", "--on-taken=refuse", "--policy=strict"}, "three").exit_status ==
      3);
  CHECK(files({"mv", "project_files/a", "project_files/b"}).exit_status == 3);
  const std::string other(64, '0');
  CHECK(files.with_input({"edit", "project_files/a", "--if-match=" + other}, "x").exit_status == 3);
  CHECK(files({"get", "project_files/a"}).out == "one");
  CHECK(files.with_input({"edit", "project_files/a", "--if-match=" + std::string(a["sha256"])}, "x")
            .exit_status == 0);
  CHECK(files({"get", "project_files/a"}).out == "x");
  CHECK(files.with_input({"edit", "project_files/a", "--if-match=zz"}, "x").exit_status == 2);
  CHECK(files.with_input({"put", "-"}, "x").exit_status == 1);
  const ProgramResult program = files({"put", "--policy=strict", "/bin/true"});
  CHECK(program.exit_status == 1);
  CHECK_MESSAGE(holds(program.err, "which the policy does not allow"), program.err);
  CHECK(files.told({"ls", "project_files"})["files"].size() == 2);
}

TEST_CASE("a cleanup tells what the list of files did not know, and removes none") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Files files(sandbox);
  CHECK(in_sandbox(sandbox, "true").empty());
  (void)files.told({"put", "-", "--as=a", "--to=outputs"}, "one");
  (void)files.told({"put", "-", "--as=b", "--to=outputs"}, "two");
  CHECK(in_sandbox(sandbox, "rm ../outputs/a; echo more >>../outputs/b").empty());
  const ProgramResult cleanup =
      run_program({program_directory() + "/sbxctl", "--state-dir=" + sandbox.state_dir(), "cleanup",
                   "--run-dir=" + sandbox.run_dir(), "--log=" + sandbox.log()});
  CHECK_MESSAGE(cleanup.exit_status == 0, cleanup.err);
  CHECK_MESSAGE(holds(cleanup.out, "project 'p': missing: outputs/a\n"), cleanup.out);
  CHECK_MESSAGE(holds(cleanup.out, "project 'p': changed: outputs/b\n"), cleanup.out);
  CHECK(files({"get", "outputs/b"}).out == "twomore\n");
  CHECK(files.told({"check"})["missing"].empty());
}

TEST_CASE("an editor works on a copy, and what it leaves as it was is no edit") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Files files(sandbox);
  (void)files.told({"put", "-", "--as=a", "--policy=strict"}, "one\n");
  const auto edit = [&](const std::string& editor) {
    ProgramOptions options;
    options.environment = {{"VISUAL", editor}};
    const std::string command = program_directory() + "/sbxctl --state-dir=" + sandbox.state_dir() +
                                " files edit --project=p project_files/a";
    return run_program({"/usr/bin/script", "-qec", command, "/dev/null"}, options);
  };
  CHECK(edit("sed -i s/one/two/").exit_status == 0);
  CHECK(files({"get", "project_files/a"}).out == "two\n");
  const ProgramResult same = edit("true");
  CHECK(same.exit_status == 0);
  CHECK_MESSAGE(holds(same.out, "nothing was changed"), same.out);
  CHECK(edit("false").exit_status == 1);
  CHECK(files({"get", "project_files/a"}).out == "two\n");
}

TEST_CASE("a file that has no room is not there at all, and takes none") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Files files(sandbox);
  CHECK(in_sandbox(sandbox, "true").empty());
  const std::string large = sandbox.directory() + "/large";
  write_file(large, std::string(20U << 20U, 'x'));
  const ProgramResult full = files({"put", large});
  CHECK(full.exit_status == 1);
  CHECK_MESSAGE(holds(full.err, "no space left on device"), full.err);
  CHECK(files.told({"ls", "project_files"})["files"].empty());
  CHECK(run_program({"/bin/tar", "-cf", large + ".tar", "-C", sandbox.directory(), "large"}).exit_status ==
        0);
  CHECK(files({"put", "--extract", large + ".tar"}).exit_status == 1);
  CHECK(files.told({"ls", "project_files"})["files"].empty());
  fs::resize_file(large, 12U << 20U);
  CHECK(files({"put", large}).exit_status == 0);
}

TEST_CASE("while a sandbox swaps folders and links, nothing but the project is touched") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Files files(sandbox);
  CHECK(in_sandbox(sandbox, "true").empty());
  const std::string victim = sandbox.directory() + "/victim";
  fs::create_directories(victim + "/d");
  write_file(victim + "/f", "secret");
  // What is put there makes the folder where it is missing: it goes with the next turn.
  const std::string swaps =
      "mkdir real; echo inside >real/f; end=$(($(date +%s) + 20)); while [ $(date +%s) -lt $end ]; do "
      "for i in 1 2 3 4 5 6 7 8 9; do mv -T real place; sleep 0.01; mv -T place real; rm -rf place; ln -s " +
      victim +
      " place; rm -rf place; ln -s ../../../../../../.. place; rm -rf place; done; done 2>/dev/null; true";
  int done = 0;
  ProgramOptions beside;
  beside.after_start = [&](pid_t) {
    const std::string place = "agent_workspace/place";
    for (int round = 0; round < 25; ++round) {
      const ProgramResult got = files({"get", place + "/f"});
      CHECK(got.out != "secret");
      done += got.exit_status == 0 ? 1 : 0;
      done +=
          files.with_input({"put", "-", "--as=n", "--on-taken=replace", "--to=" + place}, "n").exit_status ==
                  0
              ? 1
              : 0;
      (void)files({"mv", place + "/n", place + "/d/n"});
      (void)files({"rm", "--recursive", place + "/d"});
      (void)files({"ls", "--recursive"});
    }
  };
  const ProgramResult run = sandbox.run({"--project=p", "--disk=16M", "--", "/bin/sh", "-c", swaps}, beside);
  CHECK_MESSAGE(run.exit_status == 0, run.err);
  CHECK(done > 0);
  CHECK(read_file(victim + "/f") == "secret");
  CHECK(fs::is_empty(victim + "/d"));
  CHECK(std::distance(fs::directory_iterator(victim), fs::directory_iterator()) == 2);
}

// Takes minutes where the machine has other work: SBX_TEST_LARGE, as tools/test --full has it.
TEST_CASE("a hundred thousand files, and one of 4 GiB") {
  SKIP_UNLESS(is_root(), "needs root");
  SKIP_UNLESS(std::getenv("SBX_TEST_LARGE") != nullptr, "needs SBX_TEST_LARGE (tools/test --full)");
  const Sandbox sandbox;
  const Files files(sandbox);
  const std::string top = sandbox.directory();
  const std::string make =
      "mkdir many; cd many; seq 1 99999 | split -l 1 -a 5 - f; cd ..; tar -cf many.tar many; rm -r many; "
      "truncate -s 4G sparse";
  ProgramOptions patient;
  patient.timeout = std::chrono::minutes(20);
  ProgramOptions there = patient;
  there.directory = top;
  REQUIRE(run_program({"/bin/sh", "-c", make}, there).exit_status == 0);
  const ProgramResult many = files({"put", "--extract", "--policy=permissive", top + "/many.tar"}, patient);
  REQUIRE_MESSAGE(many.exit_status == 0, many.err);
  CHECK(holds(many.out, "99999 files, 0 refused"));
  CHECK(json::parse(files({"ls", "--recursive", "--json"}, patient).out)["files"].size() == 100'004);
  CHECK(json::parse(files({"ls", "--json", "project_files/many/many"}, patient).out)["files"].size() ==
        99'999);
  const json report = json::parse(files({"check", "--json"}, patient).out);
  CHECK(report["changed"].empty());
  CHECK(report["unknown"].empty());
  const ProgramResult large = files({"put", "--policy=permissive", top + "/sparse"}, patient);
  REQUIRE_MESSAGE(large.exit_status == 0, large.err);
  CHECK(files({"get", "project_files/sparse", "--range=4294967290-"}, patient).out == std::string(6, '\0'));
}

TEST_SUITE_END();

}  // namespace sbx::test
