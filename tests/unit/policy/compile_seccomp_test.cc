#include <random>

#include "filter_simulator.h"
#include "policy_fixture.h"

namespace sbx {
namespace {

using namespace testing;

// Allowed, or refused with `error_number`.
SeccompRule rule(std::string syscall, int error_number, std::vector<SeccompCondition> conditions = {}) {
  const SeccompAction action = error_number == 0 ? SeccompAction::allow : SeccompAction::refuse;
  return {std::move(syscall), action, error_number, std::move(conditions)};
}

SeccompProfile profile_of(std::vector<SeccompRule> rules, int default_error = EPERM) {
  SeccompProfile profile;
  profile.name = "test";
  profile.default_error = default_error;
  profile.groups.push_back({"all", "a test", std::move(rules)});
  return profile;
}

Filter compiled(const SeccompProfile& profile) {
  const Result<std::string> bytes = compile_seccomp(profile);
  REQUIRE_MESSAGE(bytes, error_of(bytes));
  return Filter(*bytes);
}

constexpr std::uint64_t kLow = 0xffffffff;
constexpr std::uint64_t kHighBit = 1ULL << 40U;

TEST_CASE("an allowed call is allowed and every other known one gets the default error") {
  const Filter filter = compiled(profile_of({rule("read", 0), rule("getpid", 0)}, EACCES));
  CHECK(filter.answer(number_of("read")) == SECCOMP_RET_ALLOW);
  CHECK(filter.answer(number_of("getpid")) == SECCOMP_RET_ALLOW);
  CHECK(filter.answer(number_of("write")) == refusal(EACCES));
  CHECK(filter.answer(number_of("mseal")) == refusal(EACCES));
}

TEST_CASE("numbers without a known call give ENOSYS, below the highest known one too") {
  const Filter filter = compiled(profile_of({rule("read", 0)}));
  const auto highest = static_cast<std::uint32_t>(syscall_table().size() - 1);
  CHECK(highest >= 469);
  CHECK(filter.answer(highest) == refusal(EPERM));
  for (const std::uint32_t number : {highest + 1, 1000U, 0x3fffffffU, 0xffffffffU}) {
    CAPTURE(number);
    CHECK(filter.answer(number) == refusal(ENOSYS));
  }
#ifdef __x86_64__
  for (const std::uint32_t number : {336U, 400U, 423U}) {
    CAPTURE(number);
    CHECK(filter.answer(number) == refusal(ENOSYS));
  }
#endif
}

TEST_CASE("another architecture kills, whatever the call") {
  const Filter filter = compiled(profile_of({rule("read", 0)}));
  for (const std::uint32_t arch : {std::uint32_t{AUDIT_ARCH_I386}, std::uint32_t{AUDIT_ARCH_ARM}, 0U, ~0U}) {
    for (const std::uint32_t number : {0U, 20U, 1000U, 0xffffffffU}) {
      CHECK(filter.answer(number, {}, arch) == SECCOMP_RET_KILL_PROCESS);
    }
  }
}

#ifdef __x86_64__
TEST_CASE("x32 numbers kill, and the number of a skipped call does not") {
  const Filter filter = compiled(profile_of({rule("read", 0)}));
  for (const std::uint32_t number :
       {0x40000000U, 0x40000001U, 0x40000200U, 0x7fffffffU, 0x80000000U, 0xfffffffeU}) {
    CHECK(filter.answer(number) == SECCOMP_RET_KILL_PROCESS);
  }
  CHECK(filter.answer(0xffffffffU) == refusal(ENOSYS));
}
#endif

TEST_CASE("an ignored call answers success and is not made") {
  const Filter filter =
      compiled(profile_of({{"setrlimit", SeccompAction::ignore, 0, {{0, kLow, {4}, true}}}}));
  CHECK(filter.answer(number_of("setrlimit"), {4}) == SECCOMP_RET_ERRNO);
  CHECK(filter.answer(number_of("setrlimit"), {5}) == refusal(EPERM));
}

TEST_CASE("a condition on the low half ignores the high half") {
  const Filter filter = compiled(profile_of({
      rule("ioctl", ENOTTY, {{1, kLow, {5, 7}, true}}),
      rule("ioctl", 0),
      rule("personality", 0, {{0, kLow, {3}, false}}),
  }));
  const std::uint32_t ioctl = number_of("ioctl");
  for (const std::uint64_t value : {5ULL, 7ULL, 5ULL | kHighBit, 7ULL | (kLow << 32U)}) {
    CHECK(filter.answer(ioctl, {0, value}) == refusal(ENOTTY));
  }
  for (const std::uint64_t value : {0ULL, 6ULL, 5ULL << 32U})
    CHECK(filter.answer(ioctl, {0, value}) == SECCOMP_RET_ALLOW);
  const std::uint32_t personality = number_of("personality");
  CHECK(filter.answer(personality, {3}) == refusal(EPERM));
  CHECK(filter.answer(personality, {3 | kHighBit}) == refusal(EPERM));
  CHECK(filter.answer(personality, {4}) == SECCOMP_RET_ALLOW);
}

TEST_CASE("a condition on 64 bits sees both halves") {
  const std::uint64_t wide = 0x1'0000'0002;
  for (const bool equal : {true, false}) {
    const Filter filter = compiled(profile_of({rule("read", 0, {{2, ~0ULL, {wide, 9}, equal}})}));
    const auto allowed = [&](std::uint64_t value) {
      return filter.answer(number_of("read"), {0, 0, value}) == SECCOMP_RET_ALLOW;
    };
    CHECK(allowed(wide) == equal);
    CHECK(allowed(9) == equal);
    for (const std::uint64_t other : {2ULL, 1ULL << 32U, 9ULL | 1ULL << 32U, 0ULL})
      CHECK(allowed(other) != equal);
  }
}

TEST_CASE("a condition on the high half alone") {
  const Filter filter = compiled(profile_of({rule("read", 0, {{0, ~kLow, {0}, true}})}));
  CHECK(filter.answer(number_of("read"), {kLow}) == SECCOMP_RET_ALLOW);
  CHECK(filter.answer(number_of("read"), {kHighBit}) == refusal(EPERM));
}

TEST_CASE("all conditions of a rule must hold, and the first rule that applies wins") {
  const Filter filter = compiled(profile_of({
      rule("socket", 0, {{0, kLow, {2}, true}, {1, 0xf, {1}, true}}),
      rule("socket", EPROTONOSUPPORT, {{0, kLow, {2}, true}}),
      rule("socket", EAFNOSUPPORT),
  }));
  const std::uint32_t socket = number_of("socket");
  CHECK(filter.answer(socket, {2, 1}) == SECCOMP_RET_ALLOW);
  CHECK(filter.answer(socket, {2, 0x801}) == SECCOMP_RET_ALLOW);
  CHECK(filter.answer(socket, {2, 2}) == refusal(EPROTONOSUPPORT));
  CHECK(filter.answer(socket, {3, 1}) == refusal(EAFNOSUPPORT));
}

TEST_CASE("a profile that cannot be compiled is an error") {
  CHECK(error_of(compile_seccomp(profile_of({rule("nonsense", 0)}))) ==
        "seccomp profile 'test': no system call 'nonsense'");
  const std::string never = "seccomp profile 'test': a condition of 'read' can never be decided";
  CHECK(error_of(compile_seccomp(profile_of({rule("read", 0, {{6, kLow, {0}, true}})}))) == never);
  CHECK(error_of(compile_seccomp(profile_of({rule("read", 0, {{0, 0, {0}, true}})}))) == never);
  CHECK(error_of(compile_seccomp(profile_of({rule("read", 0, {{0, 1, {2}, true}})}))) == never);
  CHECK(error_of(compile_seccomp(profile_of({rule("read", 0, {{0, 1, {}, true}})}))) == never);
  SeccompRule wide = rule("read", 0, {{0, ~0ULL, {}, true}});
  for (std::uint64_t value = 0; value < 100; ++value) wide.conditions[0].values.push_back(value);
  CHECK(error_of(compile_seccomp(profile_of({wide}))) ==
        "the conditions of a rule for 'read' are too many: split the rule");
  std::vector<SeccompRule> many(2000, rule("read", 0, {{0, kLow, {1}, true}}));
  CHECK(error_of(compile_seccomp(profile_of(many))).find("the kernel takes 4096") != std::string::npos);
}

TEST_CASE("a call of other architectures is left out") {
  const Filter filter = compiled(profile_of({rule("read", 0), rule("chown32", 0)}));
  CHECK(filter.answer(number_of("read")) == SECCOMP_RET_ALLOW);
}

TEST_CASE("code that is too long for a conditional jump is jumped over") {
  std::vector<SeccompRule> rules;
  for (std::uint64_t value = 0; value < 300; ++value) {
    rules.push_back(rule("read", static_cast<int>(1 + value % 100), {{0, kLow, {value}, true}}));
  }
  rules.push_back(rule("write", 0));
  const SeccompProfile profile = profile_of(rules);
  const Filter filter = compiled(profile);
  const Meaning meaning(profile);
  for (std::uint64_t value = 0; value < 302; ++value) {
    REQUIRE(filter.answer(0, {value}) == meaning.of(0, {value}));
  }
  for (std::uint32_t number = 0; number < 600; ++number) {
    REQUIRE(filter.answer(number, {0}) == meaning.of(number, {0}));
  }
}

// Few values, so that equalities happen; with bits in both halves.
std::uint64_t some_value(std::mt19937_64& random) {
  static constexpr std::uint64_t kValues[] = {
      0, 1, 2, 3, 0x80, kLow, 1ULL << 32U, 3ULL << 32U, (1ULL << 32U) | 1, ~0ULL};
  return kValues[random() % std::size(kValues)];
}

SeccompCondition some_condition(std::mt19937_64& random) {
  static constexpr std::uint64_t kMasks[] = {kLow, ~0ULL, ~kLow, 3, 0x100000001ULL};
  SeccompCondition condition{
      static_cast<unsigned>(random() % 6), kMasks[random() % std::size(kMasks)], {}, random() % 2 == 0};
  for (std::size_t count = 1 + random() % 3; count > 0; --count) {
    condition.values.push_back(some_value(random) & condition.mask);
  }
  return condition;
}

TEST_CASE("the filter of any profile does what the profile means") {
  std::mt19937_64 random(20240229);
  const std::vector<std::string> table = syscall_table();
  for (int round = 0; round < 200; ++round) {
    std::vector<SeccompRule> rules;
    std::vector<std::uint32_t> numbers;
    for (std::size_t count = 1 + random() % 40; count > 0; --count) {
      const auto number = static_cast<std::uint32_t>(random() % table.size());
      if (table[number].empty()) continue;
      numbers.push_back(number);
      for (std::size_t alternatives = 1 + random() % 3; alternatives > 0; --alternatives) {
        SeccompRule rule{table[number], static_cast<SeccompAction>(random() % 3), 0, {}};
        if (rule.action == SeccompAction::refuse) rule.error_number = static_cast<int>(1 + random() % 100);
        for (std::size_t conditions = random() % 4; conditions > 0; --conditions) {
          rule.conditions.push_back(some_condition(random));
        }
        rules.push_back(std::move(rule));
      }
    }
    if (numbers.empty()) continue;
    const SeccompProfile profile = profile_of(std::move(rules), static_cast<int>(1 + random() % 100));
    const Filter filter = compiled(profile);
    const Meaning meaning(profile);
    for (int call = 0; call < 300; ++call) {
      const std::uint32_t number =
          call % 3 == 0 ? static_cast<std::uint32_t>(random() % 600) : numbers[random() % numbers.size()];
      Arguments arguments{};
      for (std::uint64_t& argument : arguments) argument = some_value(random);
      REQUIRE(filter.answer(number, arguments) == meaning.of(number, arguments));
    }
  }
}

}  // namespace
}  // namespace sbx
