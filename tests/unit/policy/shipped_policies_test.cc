// The shipped policies say what the contract promises.
#include <array>
#include <optional>

#include "policy/policy.h"
#include "policy_fixture.h"

namespace sbx {
namespace {

using namespace testing;

constexpr std::uint64_t M = 1ULL << 20U;
constexpr std::uint64_t G = 1ULL << 30U;
constexpr std::optional<std::uint64_t> kNone;

struct Promise {
  const char* name;
  // In the order of kLimits.
  std::array<std::optional<std::uint64_t>, kLimits.size()> limits;
  std::array<std::optional<std::uint64_t>, kLimits.size()> ceilings;
  bool wall_time_with_tty;
  bool writable_root;
};

// docs/policy-reference.md, the table of the shipped policies.
constexpr Promise kPromises[] = {
    {"strict",
     {256 * M, 500, 64, 10'000, 10'000, 1 * M, 256, kNone, 64 * M, 128 * M, 10'000},
     {1 * G, 1000, kNone, 60'000, kNone, kNone, kNone, kNone, kNone, kNone, kNone},
     true,
     false},
    {"default",
     {512 * M, 1000, 256, 60'000, kNone, 8 * M, 1024, kNone, 256 * M, 1 * G, 100'000},
     {8 * G, kNone, kNone, 3'600'000, kNone, kNone, kNone, kNone, kNone, kNone, kNone},
     false,
     false},
    {"permissive",
     {4 * G, kNone, 2048, 3'600'000, kNone, 64 * M, 4096, kNone, 2 * G, 8 * G, 1'000'000},
     {},
     true,
     true},
};

TEST_CASE("the shipped policies have the numbers of the contract") {
  for (const Promise& promise : kPromises) {
    CAPTURE(promise.name);
    const Result<Policy> policy = load_policy(promise.name, {shipped_policies()});
    REQUIRE_MESSAGE(policy, error_of(policy));
    for (std::size_t i = 0; i < kLimits.size(); ++i) {
      CAPTURE(kLimits[i].key);
      CHECK(policy->limits.*kLimits[i].member == promise.limits[i]);
      CHECK(policy->ceilings.*kLimits[i].member == promise.ceilings[i]);
    }
    CHECK(policy->wall_time_with_tty == promise.wall_time_with_tty);
    CHECK(policy->writable_root == promise.writable_root);
    CHECK(policy->workspace_layout == WorkspaceLayout::split);
    CHECK(policy->seccomp == promise.name);
    CHECK(policy->seccomp_path == shipped_policies() + "/seccomp/" + promise.name + ".yaml");
    CHECK(policy->allow_degraded.empty());
    CHECK_FALSE(policy->description.empty());
  }
}

TEST_CASE("every key is explained where it stands in the shipped policies") {
  for (const char* name : kShippedNames) {
    const std::string text = read_text(shipped_policies() + "/" + std::string(name) + ".yaml");
    for (const LimitField& field : kLimits) {
      const std::size_t at = text.find("\n  " + std::string(field.key) + ": ");
      REQUIRE(at != std::string::npos);
      const std::string line = text.substr(at + 1, text.find('\n', at + 1) - at - 1);
      CHECK_MESSAGE(line.find("  # ") != std::string::npos, line);
    }
  }
}

TEST_CASE("the schema and the shipped policies know every limit and every control that may be given up") {
  const std::string schema = read_text(shipped_policies() + "/policy.schema.json");
  for (const LimitField& field : kLimits) {
    CHECK_MESSAGE(schema.find("\"" + std::string(field.key) + "\": {") != std::string::npos,
                  std::string(field.key));
  }
  for (const DegradableControl& control : kDegradableControls) {
    const std::string name(control.name);
    CHECK_MESSAGE(schema.find("\"" + name + "\"") != std::string::npos, name);
    for (const char* policy : kShippedNames) {
      const std::string text = read_text(shipped_policies() + "/" + std::string(policy) + ".yaml");
      CHECK_MESSAGE(text.find(" " + name) != std::string::npos, name);
    }
  }
}

}  // namespace
}  // namespace sbx
