#include "policy/apply_policy.h"

#include "policy_fixture.h"

namespace sbx {
namespace {

using testing::error_of;

Policy some_policy() {
  Policy policy;
  policy.name = "some";
  policy.limits.memory_bytes = 512U << 20U;
  policy.limits.milli_cpus = 1000;
  policy.limits.wall_ms = 60'000;
  policy.ceilings.memory_bytes = 8ULL << 30U;
  policy.ceilings.wall_ms = 3'600'000;
  return policy;
}

TEST_CASE("without a wish the defaults are granted, and no limit where there is none") {
  const Policy policy = some_policy();
  const Result<LimitSet> granted = grant_limits(RunRequest{}, policy);
  REQUIRE_MESSAGE(granted, error_of(granted));
  CHECK(*granted == policy.limits);
  CHECK_FALSE(granted->pids);
}

TEST_CASE("a request gets what it asks for up to the ceiling, below and above the default") {
  RunRequest request;
  request.limits.memory_bytes = 8ULL << 30U;
  request.limits.milli_cpus = 100;
  request.limits.pids = 1'000'000;
  const Result<LimitSet> granted = grant_limits(request, some_policy());
  REQUIRE_MESSAGE(granted, error_of(granted));
  CHECK(granted->memory_bytes == 8ULL << 30U);
  CHECK(granted->milli_cpus == 100);
  CHECK(granted->pids == 1'000'000);
  CHECK(granted->wall_ms == 60'000);
}

TEST_CASE("what a language needs is given where nothing is asked, up to a ceiling that the policy names") {
  LimitSet needed;
  needed.memory_bytes = 1ULL << 30U;
  needed.wall_ms = 7'200'000;
  needed.milli_cpus = 10;
  needed.pids = 5;
  const Result<LimitSet> granted = grant_limits(RunRequest{}, some_policy(), needed);
  REQUIRE_MESSAGE(granted, error_of(granted));
  CHECK(granted->memory_bytes == 1ULL << 30U);
  CHECK(granted->wall_ms == 3'600'000);
  CHECK(granted->milli_cpus == 1000);
  CHECK_FALSE(granted->pids);
  RunRequest request;
  request.limits.memory_bytes = 1U << 20U;
  CHECK(grant_limits(request, some_policy(), needed)->memory_bytes == 1U << 20U);
  Policy policy = some_policy();
  policy.ceilings = {};
  CHECK(grant_limits(RunRequest{}, policy, needed)->wall_ms == 60'000);
}

TEST_CASE("above a ceiling a request is refused with flag, value and ceiling, for every limit") {
  for (const LimitField& field : kLimits) {
    Policy policy;
    policy.name = "some";
    policy.limits.*field.member = 1000;
    policy.ceilings.*field.member = 2000;
    RunRequest request;
    request.limits.*field.member = 2000;
    CHECK(grant_limits(request, policy));
    request.limits.*field.member = 2001;
    CHECK(error_of(grant_limits(request, policy)) ==
          "--" + std::string(field.key) + " " + limit_with_unit(field, 2001) +
              ": above the ceiling of policy 'some' (" + limit_with_unit(field, 2000) +
              "); ask for less or use another policy");
  }
}

TEST_CASE("the refusal is written in the units that people use") {
  RunRequest request;
  request.limits.memory_bytes = 16ULL << 30U;
  CHECK(error_of(grant_limits(request, some_policy())) ==
        "--memory 16G: above the ceiling of policy 'some' (8G); ask for less or use another policy");
  Policy policy = some_policy();
  policy.ceilings.milli_cpus = 1000;
  request.limits = {};
  request.limits.milli_cpus = 2500;
  CHECK(error_of(grant_limits(request, policy)) ==
        "--cpus 2.5 CPUs: above the ceiling of policy 'some' (1 CPU); ask for less or use another policy");
}

TEST_CASE("only a ceiling and no default: the request must say") {
  Policy policy = some_policy();
  policy.limits.memory_bytes.reset();
  CHECK(error_of(grant_limits(RunRequest{}, policy)) ==
        "policy 'some' has no default for this limit, only a ceiling (8G): ask with --memory 8G or less");
  RunRequest request;
  request.limits.memory_bytes = 1U << 30U;
  CHECK(grant_limits(request, policy)->memory_bytes == 1U << 30U);
}

TEST_CASE("with a terminal there is no wall limit, where the policy says so and none is asked") {
  Policy policy = some_policy();
  policy.wall_time_with_tty = false;
  RunRequest request;
  CHECK(grant_limits(request, policy)->wall_ms == 60'000);
  request.tty = true;
  CHECK_FALSE(grant_limits(request, policy)->wall_ms);
  request.limits.wall_ms = 5'000;
  CHECK(grant_limits(request, policy)->wall_ms == 5'000);
  // More than the ceiling, but less than what it would get without asking.
  request.limits.wall_ms = 7'200'000;
  CHECK(grant_limits(request, policy)->wall_ms == 7'200'000);

  policy.wall_time_with_tty = true;
  CHECK_FALSE(grant_limits(request, policy));
  request.limits.wall_ms.reset();
  CHECK(grant_limits(request, policy)->wall_ms == 60'000);
}

TEST_CASE("what can be captured is bounded, whatever the policy says") {
  Policy policy = some_policy();
  RunRequest request;
  request.streams[1] = StreamMode::capture;
  CHECK(error_of(grant_limits(request, policy)).find("--output-limit 128M or less") != std::string::npos);
  request.limits.output_bytes = kMostCapturedBytes;
  CHECK(grant_limits(request, policy));
  request.limits.output_bytes = kMostCapturedBytes + 1;
  CHECK(error_of(grant_limits(request, policy)).find("at most 128M can be captured") != std::string::npos);
  request.streams[1] = StreamMode::pass;
  CHECK(grant_limits(request, policy));
}

TEST_CASE("a terminal changes no other limit") {
  Policy policy = some_policy();
  policy.wall_time_with_tty = false;
  RunRequest request;
  request.tty = true;
  LimitSet expected = policy.limits;
  expected.wall_ms.reset();
  CHECK(*grant_limits(request, policy) == expected);
  request.limits.memory_bytes = 9ULL << 30U;
  CHECK_FALSE(grant_limits(request, policy));
}

}  // namespace
}  // namespace sbx
