// Every attack of attacks/ under every shipped policy, in the image `host` and a real one; and what it is
// worth outside. With SBX_CONTAINMENT=1 each answer is printed, for docs/containment.md
// (tests/security/report).
#include <cstdlib>

#include "integration/isolation.h"
#include "security/unfiltered.h"

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

// "A|B": one of them.
bool is_one_of(const std::string& what, const std::string& list) {
  return ("|" + list + "|").find("|" + what + "|") != std::string::npos;
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

Answers attack_inside(const Sandbox& sandbox, const Targets& targets, std::vector<std::string> options,
                      const std::string& more = "") {
  std::vector<std::string> words = targets.words();
  words.insert(words.begin(),
               {bind_probes(), "--timeout=1m", "--cpu-time=1m", "--", kProbes + "/attacks", "run"});
  words.push_back("victim=1");  // inside, nobody else than init
  words.push_back(more);
  options.insert(options.end(), words.begin(), words.end());
  const ProgramResult result = sandbox.run(options);
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

}  // namespace

TEST_CASE("no attack is contained by chance: what it tries works outside") {
  SKIP_UNLESS(is_root(), "needs root");
  const Targets targets;
  std::vector<std::string> command{
      "/usr/bin/unshare", "--mount", "--uts", probe_directory() + "/attacks", "run", "--outside"};
  const std::vector<std::string> words = targets.words();
  command.insert(command.end(), words.begin(), words.end());
  command.push_back("modules=spare");
  const Answers answers = parse_answers(run_program(command).out);
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
  const std::string policy = unfiltered_policy(sandbox);
  check_contained(all_attacks(), attack_inside(sandbox, targets, {"--policy=" + policy}, "modules=spare"),
                  "unfiltered", "unfiltered");
}

}  // namespace sbx::test

TEST_SUITE_END();
