// --explain and --dry-run of a project: what is on disk counts, not what the policy gives to new ones, and
// asking makes nothing.
#include <filesystem>

#include "isolation.h"

namespace sbx::test {
namespace {

using Strings = std::vector<std::string>;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// The policy `default`, with the other layout for new projects.
std::string flat_policy(const Sandbox& sandbox) {
  const std::string path = sandbox.directory() + "/flat.yaml";
  const std::string text = read_file(std::string(std::getenv("SBX_TEST_DATA")) + "/policies/default.yaml");
  write_file(path, replaced(text, "layout: split", "layout: flat"));
  return path;
}

std::string said_of(const Sandbox& sandbox, const char* flag, const Strings& options) {
  Strings all{flag, "--project", "alpha"};
  all.insert(all.end(), options.begin(), options.end());
  for (const char* argument : {"--", "true"}) all.emplace_back(argument);
  const ProgramResult result = sandbox.sbxrun(all);
  CHECK_MESSAGE(result.exit_status == 0, result.err);
  return result.out;
}

}  // namespace

TEST_CASE("a project that is not there is said to be made by a run, and asking does not make it") {
  const Sandbox sandbox;
  const std::string words = said_of(sandbox, "--explain", {});
  CHECK_MESSAGE(holds(words, "There is no project 'alpha' yet: a run would make it, with layout split."),
                words);
  const std::string plan = said_of(sandbox, "--dry-run", {"--policy", flat_policy(sandbox)});
  CHECK_MESSAGE(holds(plan, "project alpha, layout flat (not there yet: a run makes it)"), plan);
  CHECK_MESSAGE(holds(plan, "cwd /workspace\n"), plan);
  CHECK_FALSE(std::filesystem::exists(sandbox.state_dir()));
}

TEST_CASE("a project that is there is described with the layout it was made with") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string flat = flat_policy(sandbox);
  REQUIRE(sandbox.run({"--project", "alpha", "--policy", flat, "--", "/bin/true"}).exit_status == 0);
  const std::string words = said_of(sandbox, "--explain", {});
  CHECK_MESSAGE(holds(words, "There is a project 'alpha' with layout flat."), words);
  CHECK_MESSAGE(
      holds(words,
            "It may write to /workspace: project 'alpha', kept, at most 1G in 100000 files and directories."),
      words);
  const std::string plan = said_of(sandbox, "--dry-run", {});
  CHECK_MESSAGE(holds(plan, "project alpha, layout flat\n"), plan);
  CHECK_FALSE(holds(plan, "/workspace/project_files"));
  // The same refusal as that of a run.
  const Strings here{"--project", "alpha", "--here", "--", "/bin/true"};
  Strings explained{"--explain"};
  explained.insert(explained.end(), here.begin(), here.end());
  const ProgramResult asked = sandbox.sbxrun(explained);
  CHECK(asked.exit_status == 125);
  CHECK(asked.err == sandbox.run(here).err);
}

TEST_CASE("a project whose layout file is spoiled is refused by --explain as by a run") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  REQUIRE(sandbox.run({"--project", "alpha", "--", "/bin/true"}).exit_status == 0);
  write_file(sandbox.state_dir() + "/projects/alpha/layout", "round\n");
  const ProgramResult asked = sandbox.sbxrun({"--explain", "--project", "alpha", "--", "/bin/true"});
  CHECK(asked.exit_status == 125);
  CHECK_MESSAGE(holds(asked.err, "project 'alpha': its layout file says neither flat nor split"), asked.err);
  CHECK(asked.err == sandbox.run({"--project", "alpha", "--", "/bin/true"}).err);
}

TEST_CASE("who may not look at the projects is told so") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  REQUIRE(sandbox.run({"--project", "alpha", "--", "/bin/true"}).exit_status == 0);
  ProgramOptions nobody;
  nobody.directory = "/";
  nobody.before_exec = [] {
    if (setgid(65534) != 0 || setuid(65534) != 0) _exit(99);
  };
  SKIP_UNLESS(sandbox.sbxrun({"--version"}, nobody).exit_status == 0, "only root can run the programs here");
  const ProgramResult asked = sandbox.sbxrun({"--explain", "--project", "alpha", "--", "true"}, nobody);
  CHECK(asked.exit_status == 0);
  CHECK_MESSAGE(holds(asked.out, "Only root can see whether there is a project 'alpha'"),
                asked.out << asked.err);
}

}  // namespace sbx::test
