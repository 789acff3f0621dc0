// Flags of sbxrun that show host files inside: --here, --bind, -v, --project, --workspace-mode.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "support/project_view.h"
#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

constexpr uid_t kOwner = 12345;

// A directory of `owner` with one file of theirs.
std::string make_directory(const Sandbox& sandbox, const std::string& name, uid_t owner) {
  const std::string path = sandbox.directory() + "/" + name;
  fs::create_directory(path);
  write_file(path + "/file.txt", "from the host\n");
  REQUIRE(chown(path.c_str(), owner, owner) == 0);
  REQUIRE(chown((path + "/file.txt").c_str(), owner, owner) == 0);
  // The test's directory is 0700: what is in it is reached by the sandbox through the mount alone.
  return path;
}

ProgramResult shell_in(const Sandbox& sandbox, const std::string& directory, Strings options,
                       const std::string& script) {
  ProgramOptions program;
  program.directory = directory;
  for (const char* argument : {"--", "/bin/sh", "-c"}) options.emplace_back(argument);
  options.push_back(script);
  return sandbox.run(options, program);
}

struct stat status_of(const std::string& path) {
  struct stat status {};
  REQUIRE_MESSAGE(lstat(path.c_str(), &status) == 0, path);
  return status;
}

bool exists(const std::string& path) { return fs::exists(fs::symlink_status(path)); }

}  // namespace

TEST_CASE("--here shows the current directory read-only and starts there") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string here = make_directory(sandbox, "here", kOwner);
  for (const char* option : {"--here", "--here=ro"}) {
    const ProgramResult result =
        shell_in(sandbox, here, {option}, "pwd; cat file.txt; stat -c %U file.txt; : > new");
    CHECK(result.out == "/workspace/project_files\nfrom the host\nsandbox\n");
    CHECK(result.exit_status != 0);
    CHECK(result.err.find("Read-only file system") != std::string::npos);
  }
  CHECK_FALSE(exists(here + "/new"));
}

TEST_CASE("what is written under --here=rw belongs to the directory's owner on the host") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string here = make_directory(sandbox, "here", kOwner);
  const ProgramResult result =
      shell_in(sandbox, here, {"--here=rw"},
               "echo more >> file.txt && mkdir made && echo x > made/inner && rm -f none");
  CHECK_MESSAGE(result.exit_status == 0, result.err);
  CHECK(read_file(here + "/file.txt") == "from the host\nmore\n");
  for (const char* name : {"/file.txt", "/made", "/made/inner"}) {
    CHECK(status_of(here + name).st_uid == kOwner);
    CHECK(status_of(here + name).st_gid == kOwner);
  }
}

TEST_CASE("what is written under --here=cow is seen inside and thrown away") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string here = make_directory(sandbox, "here", kOwner);
  const ProgramResult result =
      shell_in(sandbox, here, {"--here=cow"},
               "echo changed > file.txt && echo x > new && cat file.txt new && rm file.txt && ls");
  CHECK_MESSAGE(result.exit_status == 0, result.err);
  CHECK(result.out == "changed\nx\nnew\n");
  CHECK(read_file(here + "/file.txt") == "from the host\n");
  CHECK_FALSE(exists(here + "/new"));
}

TEST_CASE("without --here the current directory is not there") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string here = make_directory(sandbox, "here", 0);
  const ProgramResult result = shell_in(sandbox, here, {}, "pwd; ls -A; ls -A ../project_files ../outputs");
  CHECK(result.out == "/workspace/agent_workspace\n../outputs:\n\n../project_files:\n");
}

TEST_CASE("--bind is read-only unless it says rw, and cow keeps the host as it was") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string host = make_directory(sandbox, "shared", kOwner);
  const std::string script = "cat /data/file.txt && echo x > /data/new";
  for (const char* mode : {"", ":ro"}) {
    const ProgramResult result = shell_in(sandbox, "/", {"--bind", host + ":/data" + mode}, script);
    CHECK(result.out == "from the host\n");
    CHECK(result.exit_status != 0);
    CHECK_FALSE(exists(host + "/new"));
  }
  const ProgramResult copied =
      shell_in(sandbox, "/", {"--bind", host + ":/data:cow"}, script + " && ls /data");
  CHECK_MESSAGE(copied.out == "from the host\nfile.txt\nnew\n", copied.err);
  CHECK_FALSE(exists(host + "/new"));
  const ProgramResult written = shell_in(sandbox, "/", {"--bind", host + ":/data:rw"}, script);
  CHECK_MESSAGE(written.exit_status == 0, written.err);
  CHECK(read_file(host + "/new") == "x\n");
  CHECK(status_of(host + "/new").st_uid == kOwner);
}

TEST_CASE("-v and --volume are writable unless they say ro") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string host = make_directory(sandbox, "shared", 0);
  CHECK(shell_in(sandbox, "/", {"-v", host + ":/data:ro"}, "echo x > /data/new").exit_status != 0);
  CHECK_FALSE(exists(host + "/new"));
  CHECK(shell_in(sandbox, "/", {"-v", host + ":/data"}, "echo x > /data/new").exit_status == 0);
  CHECK(read_file(host + "/new") == "x\n");
  CHECK(shell_in(sandbox, "/", {"--volume", host + ":/data:rw"}, "echo y > /data/new").exit_status == 0);
  CHECK(read_file(host + "/new") == "y\n");
}

TEST_CASE("a bind can be one file, a relative path, several at once, and lie in any directory of ours") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string host = make_directory(sandbox, "shared", kOwner);
  const ProgramResult result =
      shell_in(sandbox, sandbox.directory(),
               {"--bind", "shared/file.txt:/opt/deep/one.txt", "--bind", "./shared:/home/sandbox/d", "-v",
                host + ":/tmp/t", "--bind", host + ":/workspace/agent_workspace/w", "--bind",
                host + "/file.txt:/var/tmp/file:rw"},
               "cat /opt/deep/one.txt ~/d/file.txt /tmp/t/file.txt w/file.txt && echo two >> /var/tmp/file");
  CHECK_MESSAGE(result.exit_status == 0, result.err);
  CHECK(result.out == "from the host\nfrom the host\nfrom the host\nfrom the host\n");
  CHECK(read_file(host + "/file.txt") == "from the host\ntwo\n");
}

TEST_CASE("a file of another owner in a bound directory is not the sandbox user's") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string host = make_directory(sandbox, "shared", kOwner);
  write_file(host + "/secret", "root's\n");
  REQUIRE(chmod((host + "/secret").c_str(), 0600) == 0);
  const ProgramResult result =
      shell_in(sandbox, "/", {"-v", host + ":/data"}, "stat -c %U /data/secret; cat /data/secret");
  CHECK(result.out == "nobody\n");
  CHECK(result.exit_status != 0);
}

TEST_CASE("a project is kept between runs, and no other project sees it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  CHECK(sandbox.shell("echo kept > note; echo out > ../outputs/o", {"--project", "alpha"}).exit_status == 0);
  const ProgramResult again =
      sandbox.shell("cat note ../outputs/o; : > ../project_files/x", {"--project", "alpha"});
  CHECK(again.out == "kept\nout\n");
  CHECK(again.exit_status != 0);  // what was handed in is read-only
  CHECK(sandbox.shell("ls -A . ../outputs", {"--project", "beta"}).out == ".:\n\n../outputs:\n");
  CHECK(sandbox.shell("ls -A").out.empty());
}

TEST_CASE("an ephemeral run of a project sees it and changes nothing") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Strings ephemeral{"--project", "alpha", "--workspace-mode", "ephemeral"};
  CHECK(sandbox.shell("echo first > note", {"--project", "alpha", "--workspace-mode", "persistent"})
            .exit_status == 0);
  const ProgramResult result =
      sandbox.shell("cat note; echo second > note; cat note; echo x > ../outputs/x", ephemeral);
  CHECK_MESSAGE(result.exit_status == 0, result.err);
  CHECK(result.out == "first\nsecond\n");
  CHECK(sandbox.shell("cat note; ls -A ../outputs", {"--project", "alpha"}).out == "first\n");
}

TEST_CASE("files that a project keeps belong to no login user on the host") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  CHECK(sandbox.shell("echo kept > note", {"--project", "alpha"}).exit_status == 0);
  const ProjectView view(sandbox, "alpha");
  const std::string note = view.path() + "/agent_workspace/note";
  CHECK(status_of(note).st_uid > 60'000);
  CHECK(status_of(note).st_uid == status_of(note).st_gid);
  CHECK((status_of(sandbox.state_dir()).st_mode & 07777U) == 0700U);
  CHECK(status_of(sandbox.state_dir()).st_uid == 0);
}

TEST_CASE("--here replaces the project's uploads for one run") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string here = make_directory(sandbox, "here", kOwner);
  const ProgramResult result = shell_in(sandbox, here, {"--here", "--project", "alpha"},
                                        "cat file.txt; echo kept > ../agent_workspace/note");
  CHECK_MESSAGE(result.exit_status == 0, result.err);
  CHECK(result.out == "from the host\n");
  CHECK(sandbox.shell("cat note; ls -A ../project_files", {"--project", "alpha"}).out == "kept\n");
}

}  // namespace sbx::test
