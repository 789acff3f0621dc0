// Every attack of attacks/ under every shipped policy, in the image `host` and a real one; and what it is
// worth outside. With SBX_CONTAINMENT=1 each answer is printed, for docs/containment.md
// (tests/security/report).
#include <linux/capability.h>
#include <seccomp.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cstdlib>
#include <filesystem>
#include <set>

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

// Whether `what` is one of the answers of "ok|ENOSYS".
bool is_one_of(const std::string& what, const std::string& allowed) {
  return ("|" + allowed + "|").find("|" + what + "|") != std::string::npos;
}

void record(const Attack& attack, const std::string& where, const std::string& what) {
  if (std::getenv("SBX_CONTAINMENT") == nullptr) return;
  std::printf("containment\t%s\t%s\t%s\t%s\t%s\n", attack.name.c_str(), attack.aim.c_str(),
              attack.control.c_str(), where.c_str(), what.c_str());
}

// What is there outside for attacks to aim at, while it lives.
class Targets {
 public:
  Targets() : process_({probe_directory() + "/attacks", "serve", "key=" + std::to_string(getpid())}) {
    REQUIRE(process_.wait_for("serving\n"));
  }
  // As arguments of `attacks run`.
  [[nodiscard]] std::vector<std::string> words() const {
    std::vector<std::string> words = lines_of(process_.said());
    words.pop_back();
    return words;
  }

 private:
  Background process_;
};

// Copies of the probe rights_held with rights of their own, and the directory that they are in.
std::string make_gifts(const Sandbox& sandbox) {
  namespace fs = std::filesystem;
  const std::string directory = sandbox.directory() + "/gifts";
  if (fs::exists(directory)) return directory;
  fs::create_directory(directory);
  for (const char* name : {"set_uid", "set_gid", "capable"}) {
    fs::copy_file(probe_directory() + "/rights_held", directory + "/" + name);
  }
  REQUIRE(chmod((directory + "/set_uid").c_str(), 04755) == 0);
  REQUIRE(chmod((directory + "/set_gid").c_str(), 02755) == 0);
  const vfs_cap_data all{VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE, {{1U << CAP_NET_ADMIN, 0}, {0, 0}}};
  REQUIRE(setxattr((directory + "/capable").c_str(), "security.capability", &all, sizeof all, 0) == 0);
  return directory;
}

constexpr const char* kGifts = "/mnt/gifts";

Answers attack_inside(const Sandbox& sandbox, const Targets& targets, std::vector<std::string> options) {
  std::vector<std::string> words = targets.words();
  words.insert(words.begin(), {bind_probes(), "--bind=" + make_gifts(sandbox) + ":" + kGifts, "--timeout=1m",
                               "--cpu-time=1m", "--", kProbes + "/attacks", "run"});
  // Inside there is nobody else than init.
  words.insert(words.end(), {"victim=1", "apart=1", std::string("gifts=") + kGifts});
  options.insert(options.end(), words.begin(), words.end());
  const ProgramResult result = sandbox.run(options);
  CHECK_MESSAGE(result.exit_status == 0, result.err);
  return parse_answers(result.out);
}

void check_contained(const std::vector<Attack>& attacks, const Answers& answers, const std::string& policy,
                     const std::string& where) {
  for (const Attack& attack : attacks) {
    const std::string what = answer(answers, attack.name);
    const std::string& wanted = attack.required.at(policy);
    CHECK_MESSAGE(is_one_of(what, wanted),
                  where << ": " << attack.name << " must give " << wanted << ", not " << what);
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
  // Older versions of libseccomp do not know these.
  std::set<std::string> names{"cachestat",        "file_getattr", "file_setattr",
                              "listmount",        "listxattrat",  "lsm_get_self_attr",
                              "lsm_list_modules", "fchmodat2",    "lsm_set_self_attr",
                              "map_shadow_stack", "mseal",        "open_tree_attr",
                              "removexattrat",    "setxattrat",   "statmount"};
  for (int number = 0; number < 1'000; ++number) {
    char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, number);
    if (name != nullptr) names.insert(name);
    std::free(name);
  }
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  write_file(directory + "/seccomp/default.yaml",
             "name: default\ndescription: everything\ngroups:\n"
             "  - {name: all, reason: to see what else holds, allow: [" +
                 list + "]}\n");
  return directory + "/default.yaml";
}

}  // namespace

TEST_CASE("every attack has a name of its own, and no family is missing") {
  std::map<std::string, int> families;
  std::set<std::string> names;
  for (const Attack& attack : all_attacks()) {
    CHECK_MESSAGE(names.insert(attack.name).second, attack.name << " is there twice");
    ++families[attack.name.substr(0, attack.name.find('.'))];
  }
  for (const char* family : {"namespaces", "kernel", "rights", "abi", "terminals", "cgroups", "debugging"}) {
    CHECK_MESSAGE(families[family] > 0, "no attack of " << family);
  }
}

TEST_CASE("no attack is contained by chance: what it tries works outside") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Targets targets;
  std::vector<std::string> command{
      "/usr/bin/unshare", "--mount", "--uts", probe_directory() + "/attacks", "run", "--outside"};
  const std::vector<std::string> words = targets.words();
  command.insert(command.end(), words.begin(), words.end());
  command.push_back("gifts=" + make_gifts(sandbox));
  const Answers answers = parse_answers(run_program(command).out);
  for (const Attack& attack : all_attacks()) {
    const bool tried = !attack.outside.starts_with("not tried");
    const std::string what = tried ? answer(answers, attack.name) : attack.outside;
    CHECK_MESSAGE(is_one_of(what, attack.outside),
                  attack.name << " must give " << attack.outside << ", not " << what);
    record(attack, "outside", what);
  }
}

TEST_CASE("every attack is contained, by the control that is meant to") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Targets targets;
  const std::vector<Attack> attacks = all_attacks();
  for (const std::string policy : {"default", "strict", "permissive"}) {
    check_contained(attacks, attack_inside(sandbox, targets, {"--policy=" + policy}), policy, policy);
  }
}

TEST_CASE("without the system call filter the other controls hold") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Targets targets;
  check_contained(all_attacks(), attack_inside(sandbox, targets, {"--policy=" + unfiltered_policy(sandbox)}),
                  "unfiltered", "unfiltered");
}

}  // namespace sbx::test

TEST_SUITE_END();
