// What --here, --bind and -v refuse, and where binds may lie: a run, --dry-run and --explain say the same.
#include <doctest/doctest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "support/private_mounts.h"
#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string make_directory(const Sandbox& sandbox, const std::string& name) {
  std::string path = sandbox.directory() + "/" + name;
  fs::create_directories(path);
  write_file(path + "/file", "shown\n");
  return path;
}

// A run, --dry-run and --explain with these options are refused with these words, and nothing is run.
void check_refused(const Sandbox& sandbox, const Strings& options, const std::string& words,
                   const ProgramOptions& program = {}) {
  for (const char* flag : {"--dry-run", "--explain", "--direct"}) {
    if (std::string(flag) == "--direct" && !is_root()) continue;
    Strings arguments{flag, "--quiet"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    arguments.insert(arguments.end(), {"--", "/bin/echo", "ran"});
    const ProgramResult result = sandbox.sbxrun(arguments, program);
    INFO(flag << " said: " << result.err);
    CHECK(result.exit_status == 125);
    CHECK(result.out.empty());
    CHECK(holds(result.err, words));
  }
}

ProgramResult run_with(const Sandbox& sandbox, Strings options, const Strings& command,
                       const ProgramOptions& program = {}) {
  options.emplace_back("--");
  options.insert(options.end(), command.begin(), command.end());
  return sandbox.run(options, program);
}

// --bind SHOWN:/mnt/0, --bind SHOWN:/mnt/1, …
Strings many_binds(const std::string& shown, unsigned count) {
  Strings options;
  for (unsigned i = 0; i < count; ++i) {
    options.emplace_back("--bind");
    options.push_back(shown + ":/mnt/" + std::to_string(i));
  }
  return options;
}

}  // namespace

TEST_CASE("--here shows a directory whatever its name is") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const char* name : {"a:b", "a:b:rw", ":", "a,b\\c d", "line\nbreak"}) {
    INFO("directory: " << name);
    ProgramOptions there;
    there.directory = make_directory(sandbox, name);
    for (const char* mode : {"--here", "--here=rw", "--here=cow"}) {
      const ProgramResult result = run_with(sandbox, {mode}, {"cat", "file"}, there);
      CHECK_MESSAGE(result.out == "shown\n", result.err);
    }
  }
}

TEST_CASE("a current directory that is gone is refused by the flag that needs it") {
  const Sandbox sandbox;
  ProgramOptions gone;
  gone.directory = make_directory(sandbox, "gone");
  gone.before_exec = [path = gone.directory] {
    require_call(unlink((path + "/file").c_str()) == 0 && rmdir(path.c_str()) == 0);
  };
  for (const Strings& options : {Strings{"--here"}, Strings{"--bind", "x:/y"}, Strings{"--volume", "x:/y"},
                                 Strings{"--log", "x"}, Strings{"--policy", "./x.yaml"}}) {
    fs::create_directories(gone.directory);
    write_file(gone.directory + "/file", "");
    Strings arguments = options;
    arguments.insert(arguments.end(), {"--", "/bin/echo", "ran"});
    const ProgramResult result = sandbox.sbxrun(arguments, gone);
    INFO("said: " << result.err);
    CHECK(result.exit_status == 2);
    CHECK(result.out.empty());
    CHECK(holds(result.err, options.front() + ": the current directory cannot be found"));
  }
}

TEST_CASE("what is neither a directory nor a regular file cannot be shown") {
  const Sandbox sandbox;
  const std::string fifo = sandbox.directory() + "/fifo";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  for (const std::string& path : {std::string("/dev/null"), fifo}) {
    const std::string words = ": '" + path + "' is neither a directory nor a regular file";
    check_refused(sandbox, {"--bind", path + ":/tmp/n"}, "--bind" + words);
    check_refused(sandbox, {"-v", path + ":/tmp/n"}, "--volume" + words);
  }
  check_refused(sandbox, {"-v", "/no/such:/tmp/n"}, "--volume: open");
  check_refused(sandbox, {"-v", "/etc/passwd:/tmp/n:cow"}, "--volume: '/etc/passwd' is a file");
}

TEST_CASE("a file system that cannot be id-mapped is refused by a plan as by a run") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string shown = make_directory(sandbox, "shown");
  const std::string second = make_directory(sandbox, "second");
  ProgramOptions program;
  program.directory = sandbox.directory();
  program.before_exec = [shown, second] {
    enter_private_mounts();
    const std::string layers = "lowerdir=" + second + ":" + shown;
    require_call(mount("overlay", shown.c_str(), "overlay", MS_RDONLY, layers.c_str()) == 0);
  };
  check_refused(sandbox, {"--bind", shown + ":/mnt"},
                "--bind: '" + shown + "' is on overlay, which cannot be id-mapped", program);
}

TEST_CASE("a bind below a link of the image is refused, and one over it is not") {
  const Sandbox sandbox;
  const std::string shown = make_directory(sandbox, "shown");
  for (const std::string top : {"/bin", "/sbin", "/lib", "/lib64"}) {
    REQUIRE(fs::is_symlink(top));
    for (const char* below : {"/foo", "/foo/bar"}) {
      check_refused(sandbox, {"-v", shown + ":" + top + below},
                    "--volume: '" + top + below + "' lies below '" + top +
                        "', which is a link in image 'host'; " + "name the place it leads to ('usr" + top +
                        "')");
    }
  }
  CHECK(sandbox.sbxrun({"--dry-run", "--bind", shown + ":/bin", "--", "true"}).exit_status == 0);
  SKIP_UNLESS(is_root(), "needs root");
  const ProgramResult replaced =
      run_with(sandbox, {"--bind", shown + ":/bin"}, {"/usr/bin/cat", "/bin/file"});
  CHECK_MESSAGE(replaced.out == "shown\n", replaced.err);
}

TEST_CASE("a bind may lie at a new place in the host's /usr, and all else there stays") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string shown = make_directory(sandbox, "shown");
  for (const std::string place :
       {"/usr/newdir", "/usr/share/newdir", "/usr/lib/new/deep/dir", "/usr/share/doc", "/usr/local/lib/x"}) {
    const ProgramResult result = run_with(sandbox, {"--bind", shown + ":" + place}, {"cat", place + "/file"});
    CHECK_MESSAGE(result.out == "shown\n", place << ": " << result.err);
  }
  const ProgramResult file = run_with(
      sandbox, {"--bind", shown + "/file:/usr/bin/newfile"},
      {"sh", "-c", "cat /usr/bin/newfile; ls /usr/bin | wc -l; touch /usr/bin/x 2>/dev/null || echo no"});
  const auto entries = std::distance(fs::directory_iterator("/usr/bin"), fs::directory_iterator());
  CHECK(file.out == "shown\n" + std::to_string(entries + 1) + "\nno\n");
  CHECK_FALSE(fs::exists("/usr/newdir"));
  CHECK_FALSE(fs::exists("/usr/bin/newfile"));
}

TEST_CASE("a bind in another bind needs its place there") {
  const Sandbox sandbox;
  const std::string shown = make_directory(sandbox, "shown");
  fs::create_directory(shown + "/sub");
  const std::string outer = shown + ":/data";
  check_refused(
      sandbox, {"--bind", outer, "-v", "/usr:/data/none"},
      "--volume: '/data/none' lies in '" + shown + "', where 'none' is missing; make it there first");
  SKIP_UNLESS(is_root(), "needs root");
  const ProgramResult result =
      run_with(sandbox, {"--bind", outer, "--bind", shown + ":/data/sub"}, {"cat", "/data/sub/file"});
  CHECK_MESSAGE(result.out == "shown\n", result.err);
}

TEST_CASE("200 binds are shown, and one more is refused") {
  const Sandbox sandbox;
  const std::string shown = make_directory(sandbox, "shown");
  Strings options = many_binds(shown, 201);
  options.insert(options.end(), {"--", "/bin/echo", "ran"});
  for (const char* flag : {"--dry-run", "--explain", "--direct"}) {
    options.insert(options.begin(), flag);
    const ProgramResult refused = sandbox.sbxrun(options);
    CHECK(refused.exit_status == 2);
    CHECK(refused.out.empty());
    CHECK_MESSAGE(holds(refused.err, "--bind: 201 paths to show, and a sandbox takes at most 200"),
                  refused.err);
    options.erase(options.begin());
  }
  SKIP_UNLESS(is_root(), "needs root");
  // With every other mount that a sandbox may have.
  options = many_binds(shown, 200);
  options.insert(options.end(), {"--here=cow", "--project", "alpha", "--workspace-mode", "ephemeral"});
  ProgramOptions there;
  there.directory = shown;
  const ProgramResult result = run_with(sandbox, options, {"sh", "-c", "cat /mnt/*/file | wc -l"}, there);
  CHECK_MESSAGE(result.out == "200\n", result.err);
}

}  // namespace sbx::test
