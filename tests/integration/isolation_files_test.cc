// Whose the files are, inside and outside, and that no file gives rights.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "isolation.h"
#include "support/project_view.h"

namespace sbx::test {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kServiceId = 0x70000000;  // the first id of the default pool

bool has_line(const std::string& text, const std::string& start, const std::string& end) {
  const auto lines = lines_of(text);
  return std::ranges::any_of(lines,
                             [&](const std::string& l) { return l.starts_with(start) && l.ends_with(end); });
}

}  // namespace

TEST_CASE("a set-id program of the image gives nothing") {
  SKIP_UNLESS(is_root(), "needs root");
  struct stat status {};
  SKIP_UNLESS(stat("/usr/bin/su", &status) == 0 && (status.st_mode & S_ISUID) != 0, "su is not set-id here");
  const Sandbox sandbox;
  // The dynamic linker shows its auxiliary vector on demand, but not in a program that gains rights.
  const std::vector<std::string> show{"/usr/bin/env", "LD_SHOW_AUXV=1", "/usr/bin/su", "--version"};
  std::vector<std::string> as_nobody{"/usr/bin/setpriv", "--reuid=65534", "--clear-groups", "--"};
  as_nobody.insert(as_nobody.end(), show.begin(), show.end());
  CHECK(run_program(show).out.find("AT_SECURE") != std::string::npos);
  CHECK(run_program(as_nobody).out.find("AT_SECURE") == std::string::npos);
  std::vector<std::string> arguments{"--"};
  arguments.insert(arguments.end(), show.begin(), show.end());
  const std::string out = sandbox.run(arguments).out;
  CHECK(has_line(out, "AT_SECURE:", " 0"));
  CHECK(has_line(out, "AT_EUID:", " 1000"));
}

TEST_CASE("system files are root's and workspace files the sandbox user's") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string script =
      "cd /workspace; touch outputs/made; stat -c '%u:%g %n' / /etc /etc/passwd /usr /usr/bin/env /dev "
      "/dev/null; "
      "stat -c '%u:%g %n' /workspace/* outputs/made /home/sandbox";
  for (const char* project : {"", "--project=files"}) {
    const std::string out = said_inside(
        sandbox, script, *project == '\0' ? std::vector<std::string>{} : std::vector<std::string>{project});
    CHECK(lines_of(out).size() == 12);
    for (const std::string& line : lines_of(out)) {
      const bool own = line.find("/workspace/") != std::string::npos ||
                       line.find("outputs/") != std::string::npos || line.find("/home/") != std::string::npos;
      CHECK_MESSAGE(line.starts_with(own ? "1000:1000 " : "0:0 "), line);
    }
  }
}

TEST_CASE("what a project keeps on disk belongs to the service id") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  CHECK(sandbox.shell("mkdir -p d/e; touch d/e/f; ln -s x d/l; mkfifo d/p", {"--project=p"}).exit_status ==
        0);
  std::size_t count = 0;
  const ProjectView view(sandbox, "p");
  for (const auto& entry : fs::recursive_directory_iterator(view.path() + "/agent_workspace")) {
    struct stat status {};
    REQUIRE(lstat(entry.path().c_str(), &status) == 0);
    CHECK(status.st_uid == kServiceId);
    CHECK(status.st_gid == kServiceId);
    ++count;
  }
  CHECK(count == 5);
}

TEST_CASE("what the host's own user 1000 keeps private below /usr stays private") {
  SKIP_UNLESS(is_root(), "needs root");
  std::string directory = "/usr/local/share/sbx-test-XXXXXX";
  SKIP_UNLESS(mkdtemp(directory.data()) != nullptr, "/usr is not writable here");
  const std::string file = directory + "/secret";
  write_file(file, "secret");
  CHECK(chown(file.c_str(), 1000, 1000) == 0);
  CHECK(chmod(file.c_str(), 0600) == 0);
  CHECK(chmod(directory.c_str(), 0755) == 0);
  {
    const Sandbox sandbox;
    CHECK(run_program({"/usr/bin/setpriv", "--reuid=1000", "--clear-groups", "cat", file}).out == "secret");
    CHECK(said_inside(sandbox, "stat -c %u " + directory) == "0");
    CHECK(said_inside(sandbox, "cat " + file) == "");
    CHECK(said_inside(sandbox, "cat " + file, {bind_probes()}) == "");  // with a layer over the root, too
  }
  fs::remove_all(directory);
}

}  // namespace sbx::test
