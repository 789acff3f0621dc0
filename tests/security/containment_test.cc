// Every attack of attacks/ under every shipped policy, in the image `host` and a real one; and what it is
// worth outside. With SBX_CONTAINMENT=1 each answer is printed, for docs/containment.md
// (tests/security/report).
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "integration/isolation.h"

TEST_SUITE_BEGIN("v2");

namespace sbx::test {
namespace {

struct Attack {
  std::string name, aim, control;
  std::map<std::string, std::string> required;  // by policy
  std::string outside;
};

std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream stream(line);
  for (std::string field; std::getline(stream, field, '\t');) fields.push_back(field);
  return fields;
}

std::vector<Attack> all_attacks() {
  std::vector<Attack> attacks;
  for (const std::string& line : lines_of(run_program({probe_directory() + "/attacks", "list"}).out)) {
    const std::vector<std::string> fields = fields_of(line);
    REQUIRE_MESSAGE(fields.size() == 8, line);
    attacks.push_back({fields[0],
                       fields[1],
                       fields[2],
                       {{"default", fields[3]},
                        {"strict", fields[4]},
                        {"permissive", fields[5]},
                        {"unfiltered", fields[6]}},
                       fields[7]});
  }
  return attacks;
}

void record(const Attack& attack, const std::string& where, const std::string& what) {
  if (std::getenv("SBX_CONTAINMENT") == nullptr) return;
  std::printf("containment\t%s\t%s\t%s\t%s\t%s\n", attack.name.c_str(), attack.aim.c_str(),
              attack.control.c_str(), where.c_str(), what.c_str());
}

// "A|B": one of them.
bool is_one_of(const std::string& what, const std::string& list) {
  return ("|" + list + "|").find("|" + what + "|") != std::string::npos;
}

// What is there outside for attacks to aim at, while it lives; its files are in a directory of the sandbox's
// test.
class Targets {
 public:
  explicit Targets(const Sandbox& sandbox) : place_(made_place(sandbox)), process_(command(place_)) {
    REQUIRE(process_.wait_for("serving\n"));
    write_file(place_ + "/input", "text\n");
    REQUIRE(chmod((place_ + "/input").c_str(), 0666) == 0);
  }
  // As arguments of `attacks run`.
  [[nodiscard]] std::vector<std::string> words() const {
    std::vector<std::string> words = lines_of(process_.said());
    words.pop_back();
    return words;
  }

  [[nodiscard]] const std::string& place() const { return place_; }

  // A caller that leaves open, shared and in its environment what a program must not get: see
  // descriptors.cc and mounts.cc.
  [[nodiscard]] ProgramOptions careless_caller() const {
    ProgramOptions options;
    options.environment = {{"SBX_CALLERS_SECRET", "hunter2"}, {"HOME", "/SBX_CALLERS_SECRET"}};
    options.before_exec = [place = place_] {
      // As systemd has it: what is mounted anywhere is mounted for everybody.
      (void)unshare(CLONE_NEWNS);
      (void)mount(nullptr, "/", nullptr, MS_SHARED | MS_REC, nullptr);
      (void)dup2(open((place + "/input").c_str(), O_RDONLY), 0);
      (void)dup2(open("/", O_RDONLY | O_DIRECTORY), 3);
      (void)dup2(open("/etc", O_PATH), 4);
      (void)dup2(open((place + "/secret").c_str(), O_RDONLY), 5);
      (void)dup2(socket(AF_UNIX, SOCK_STREAM, 0), 6);
      (void)dup2(memfd_create("callers", MFD_ALLOW_SEALING), 7);
    };
    return options;
  }

 private:
  static std::string made_place(const Sandbox& sandbox) {
    std::string place = sandbox.directory() + "/targets";
    REQUIRE(mkdir(place.c_str(), 0755) == 0);
    REQUIRE(chmod(sandbox.directory().c_str(), 0755) == 0);
    return place;
  }
  static std::vector<std::string> command(const std::string& place) {
    return {probe_directory() + "/attacks", "serve", "key=" + std::to_string(getpid()), "place=" + place};
  }

  std::string place_;
  Background process_;
};

// A project with files that its owner may only read; and where on the host it is.
std::string make_project(const Sandbox& sandbox, const std::string& name) {
  REQUIRE(sandbox.run({"--project=" + name, "--", "/bin/true"}).exit_status == 0);
  const std::string workspace = sandbox.state_dir() + "/projects/" + name + "/workspace";
  struct stat folder {};
  REQUIRE(stat((workspace + "/project_files").c_str(), &folder) == 0);
  for (const char* file : {"/project_files/file", "/project_files/removed"}) {
    write_file(workspace + file, "text\n");
    REQUIRE(chown((workspace + file).c_str(), folder.st_uid, folder.st_gid) == 0);
  }
  return workspace;
}

// Files that are more than they seem to be: devices, those with set-id bits, those with capabilities.
std::string dangerous_files(const std::string& directory) {
  std::string list;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    struct stat status {};
    REQUIRE(lstat(entry.path().c_str(), &status) == 0);
    const bool device = S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode);
    const bool capable = lgetxattr(entry.path().c_str(), "security.capability", nullptr, 0) > 0;
    if (device || capable || (status.st_mode & 06000) != 0) list += entry.path().string() + "\n";
  }
  return list;
}

Answers attack_inside(const Sandbox& sandbox, const Targets& targets, std::vector<std::string> options) {
  std::vector<std::string> words = targets.words();
  words.insert(words.begin(), {bind_probes(), "--bind=" + targets.place() + "/shown:/mnt/shown",
                               "--bind=" + targets.place() + "/writable:/mnt/writable:rw", "--timeout=1m",
                               "--cpu-time=1m", "--", kProbes + "/attacks", "run"});
  // What is somewhere else inside; and nobody is there to be a victim but init.
  words.insert(words.end(), {"inside=1", "victim=1", "shown=/mnt/shown", "writable=/mnt/writable",
                             "files=/workspace/project_files", "outputs=/workspace/outputs",
                             "home=/home/sandbox", "handle_place=/workspace/agent_workspace"});
  options.insert(options.end(), words.begin(), words.end());
  const ProgramResult result = sandbox.run(options, targets.careless_caller());
  CHECK_MESSAGE(result.exit_status == 0, result.err);
  return parse_answers(result.out);
}

void check_contained(const std::vector<Attack>& attacks, const Answers& answers, const std::string& policy,
                     const std::string& where) {
  for (const Attack& attack : attacks) {
    const std::string what = answer(answers, attack.name);
    CHECK_MESSAGE(is_one_of(what, attack.required.at(policy)), where << ": " << attack.name << " must give "
                                                                     << attack.required.at(policy) << ", not "
                                                                     << what);
    record(attack, where, what);
  }
}

// A policy like `default`, whose filter allows every call.
std::string unfiltered_policy(const Sandbox& sandbox) {
  const std::string directory = sandbox.directory() + "/unfiltered";
  REQUIRE(mkdir(directory.c_str(), 0755) == 0);
  REQUIRE(mkdir((directory + "/seccomp").c_str(), 0755) == 0);
  const std::string shipped = std::string(std::getenv("SBX_TEST_DATA")) + "/policies/default.yaml";
  write_file(directory + "/default.yaml", read_file(shipped));
  std::string names;
  for (int number = 0; number < 1'000; ++number) {
    char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, number);
    if (name != nullptr) names += (names.empty() ? "" : ", ") + std::string(name);
    std::free(name);
  }
  write_file(directory + "/seccomp/default.yaml",
             "name: default\ndescription: everything\ngroups:\n"
             "  - {name: all, reason: to see what else holds, allow: [" +
                 names + "]}\n");
  return directory + "/default.yaml";
}

}  // namespace

TEST_CASE("no attack is contained by chance: what it tries works outside") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Targets targets(sandbox);
  std::vector<std::string> command{
      "/usr/bin/unshare", "--mount", "--uts", probe_directory() + "/attacks", "run", "--outside"};
  const std::vector<std::string> words = targets.words();
  command.insert(command.end(), words.begin(), words.end());
  const Answers answers = parse_answers(run_program(command, targets.careless_caller()).out);
  for (const Attack& attack : all_attacks()) {
    const bool tried = !attack.outside.starts_with("not tried");
    const std::string what = tried ? answer(answers, attack.name) : attack.outside;
    CHECK_MESSAGE((!tried || is_one_of(what, attack.outside)),
                  attack.name << " must give " << attack.outside << ", not " << what);
    record(attack, "outside", what);
  }
}

TEST_CASE("every attack is contained, by the control that is meant to") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Targets targets(sandbox);
  const std::string left_by_host = dangerous_files(targets.place());
  const std::vector<Attack> attacks = all_attacks();
  for (const std::string policy : {"default", "strict", "permissive"}) {
    const std::string workspace = make_project(sandbox, policy);
    const Answers answers = attack_inside(sandbox, targets, {"--policy=" + policy, "--project=" + policy});
    check_contained(attacks, answers, policy, policy);
    CHECK(dangerous_files(workspace) == "");
    CHECK(dangerous_files(targets.place()) == left_by_host);
  }
}

TEST_CASE("without the system call filter the other controls hold") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Targets targets(sandbox);
  (void)make_project(sandbox, "unfiltered");
  const Answers answers =
      attack_inside(sandbox, targets, {"--policy=" + unfiltered_policy(sandbox), "--project=unfiltered"});
  check_contained(all_attacks(), answers, "unfiltered", "unfiltered");
}

}  // namespace sbx::test

TEST_SUITE_END();
