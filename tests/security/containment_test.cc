// Every attack of attacks/ under every shipped policy, in the image `host` and a real one; and what it is
// worth outside. With SBX_CONTAINMENT=1 each answer is printed, for docs/containment.md
// (tests/security/report).
#include <cstdlib>
#include <filesystem>
#include <set>

#include "integration/isolation.h"
#include "security/tables.h"
#include "security/targets.h"
#include "security/unfiltered.h"

namespace sbx::test {
namespace {

constexpr const char* kFamilies[] = {
    "abi",        "cgroups",   "credentials", "debugging", "descriptors", "devices",    "files",   "init",
    "interfaces", "ipc",       "kernel",      "mounts",    "multicast",   "namespaces", "netlink", "network",
    "proc",       "processes", "rights",      "sockets",   "terminals",   "user_limits"};

// Where nothing else holds a kernel back that loads modules.
constexpr const char* kSpareModules = "modules=spare";

struct Attack {
  std::string name, aim, control;
  std::map<std::string, std::string> required;  // by policy
  std::string outside;
};

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

std::string family_of(const Attack& attack) { return attack.name.substr(0, attack.name.find('.')); }

Answers attack_inside(const Sandbox& sandbox, const Targets& targets, const std::string& family,
                      std::vector<std::string> options, const std::vector<std::string>& more) {
  const std::vector<std::string> words = targets.words();
  options.insert(options.end(), {bind_probes(), "--bind=" + targets.place() + "/shown:/mnt/shown",
                                 "--bind=" + targets.place() + "/writable:/mnt/writable:rw", "--timeout=1m",
                                 "--cpu-time=1m", "--", kProbes + "/attacks", "run", family});
  options.insert(options.end(), words.begin(), words.end());
  // What is somewhere else inside; and nobody is there to be a victim but init.
  options.insert(options.end(),
                 {"inside=1", "victim=1", "apart=1", "shown=/mnt/shown", "writable=/mnt/writable",
                  "files=/workspace/project_files", "outputs=/workspace/outputs", "home=/home/sandbox",
                  "handle_place=/workspace/agent_workspace"});
  options.insert(options.end(), more.begin(), more.end());
  const ProgramResult result = sandbox.run(options, targets.careless_caller());
  CHECK_MESSAGE(result.exit_status == 0, family << ": " << result.err);
  return parse_answers(result.out);
}

// Every family in a sandbox of its own: all of them are too many for the time that `strict` allows.
// `policy` is a column of the tables; `more` are words for `attacks run`.
void check_contained(const Sandbox& sandbox, const Targets& targets, const std::string& policy,
                     const std::string& image, const std::vector<std::string>& options,
                     const std::vector<std::string>& more = {}) {
  std::map<std::string, std::vector<Attack>> families;
  for (const Attack& attack : all_attacks()) families[family_of(attack)].push_back(attack);
  for (const auto& [family, attacks] : families) {
    const Answers answers = attack_inside(sandbox, targets, family, options, more);
    for (const Attack& attack : attacks) {
      const std::string what = answer(answers, attack.name);
      const std::string& wanted = attack.required.at(policy);
      CHECK_MESSAGE(is_one_of(what, wanted), policy << ", " << image << ": " << attack.name << " must give "
                                                    << wanted << ", not " << what);
      record("containment", attack.name, policy + ", " + image, what);
    }
  }
}

void check_policies(const Sandbox& sandbox, const Targets& targets, const std::string& image,
                    const std::vector<std::string>& more = {}) {
  const std::string left_by_host = dangerous_files(targets.place());
  for (const std::string policy : {"default", "strict", "permissive"}) {
    make_project(sandbox, policy);
    const std::vector<std::string> options{"--policy=" + policy, "--project=" + policy, "--image=" + image};
    check_contained(sandbox, targets, policy, image, options, more);
    CHECK(dangerous_files(ProjectView(sandbox, policy).path()) == "");
    CHECK(dangerous_files(targets.place()) == left_by_host);
  }
}

// The names of the variables that an image brings, of its sidecar, with commas between them.
std::string variables_of(const std::string& sidecar) {
  std::string names;
  const nlohmann::json image = nlohmann::json::parse(read_file(sidecar));
  for (const std::string variable : image.at("env")) {
    names += (names.empty() ? "" : ",") + variable.substr(0, variable.find('='));
  }
  return names;
}

}  // namespace

TEST_CASE("every attack has a name of its own, and no family is missing") {
  std::map<std::string, int> families;
  std::set<std::string> names;
  for (const Attack& attack : all_attacks()) {
    CHECK_MESSAGE(names.insert(attack.name).second, attack.name << " is there twice");
    ++families[family_of(attack)];
  }
  for (const char* family : kFamilies) CHECK_MESSAGE(families[family] > 0, "no attack of " << family);
  CHECK(families.size() == std::size(kFamilies));
}

TEST_CASE("no attack is contained by chance: what it tries works outside") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Targets targets(sandbox);
  std::vector<std::string> command{probe_directory() + "/attacks", "run", "--outside"};
  const std::vector<std::string> words = targets.words();
  command.insert(command.end(), words.begin(), words.end());
  command.push_back(kSpareModules);
  record_machine();
  const Answers answers = parse_answers(run_program(command, targets.careless_caller()).out);
  for (const Attack& attack : all_attacks()) {
    const bool tried = !attack.outside.starts_with("not tried");
    const std::string what = tried ? answer(answers, attack.name) : attack.outside;
    CHECK_MESSAGE((!tried || is_one_of(what, attack.outside)),
                  attack.name << " must give " << attack.outside << ", not " << what);
    record("containment", attack.name, "outside", what);
  }
}

TEST_CASE("every attack is contained, by the control that is meant to") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Targets targets(sandbox);
  check_policies(sandbox, targets, "host");
}

TEST_CASE("every attack is contained in a real image, too") {
  SKIP_UNLESS(is_root(), "needs root");
  const char* cache = std::getenv("SBX_CACHE_DIR");
  const std::string cached = std::string(cache != nullptr ? cache : "/var/cache/sbx") + "/images/python-3.11";
  SKIP_UNLESS(std::filesystem::exists(cached + ".tar.zst"),
              "the image python-3.11 is not built here (rootfs/build)");
  const Sandbox sandbox;
  const Targets targets(sandbox);
  const ProgramResult imported =
      run_program({program_directory() + "/sbxctl", "--state-dir", sandbox.state_dir(), "--log",
                   sandbox.log(), "images", "import", cached + ".tar.zst"});
  REQUIRE_MESSAGE(imported.exit_status == 0, imported.err);
  check_policies(sandbox, targets, "python-3.11", {"variables=" + variables_of(cached + ".json")});
}

TEST_CASE("without the system call filter the other controls hold") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Targets targets(sandbox);
  make_project(sandbox, "unfiltered");
  check_contained(sandbox, targets, "unfiltered", "host",
                  {"--policy=" + unfiltered_policy(sandbox), "--project=unfiltered"}, {kSpareModules});
}

}  // namespace sbx::test
