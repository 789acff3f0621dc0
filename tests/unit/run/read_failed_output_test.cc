#include "run/read_failed_output.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "support/skip.h"

namespace sbx {

constexpr std::string_view kRefused = "a.c:3:5: error: 'x' undeclared\n";

TEST_CASE("a finding of the confined reader is that of the reader") {
  const auto plain = read_output({"", kRefused}, 1);
  REQUIRE(plain);
  const auto decoded = decode_finding(encode_finding(plain));
  REQUIRE(decoded.has_value());
  REQUIRE(decoded->has_value());
  const OutputFinding& finding = **decoded;
  CHECK(finding.rule == plain->rule);
  CHECK(finding.kind == FailureClass::compile_error);
  CHECK(finding.message == plain->message);
  CHECK(finding.evidence == plain->evidence);
  CHECK(finding.place == FailurePlace{"a.c", 3, 5});
  const auto nothing = decode_finding(encode_finding(std::nullopt));
  REQUIRE(nothing.has_value());
  CHECK(!nothing->has_value());
}

TEST_CASE("an answer that is no finding is an error, however it is cut") {
  const std::string whole = encode_finding(read_output({"", kRefused}, 1));
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK(!decode_finding(whole.substr(0, size)).has_value());
  CHECK(!decode_finding(whole + "x").has_value());
  std::string wrong = whole;
  wrong[1] = wrong[2] = '\x7f';  // no rule has that number
  CHECK(!decode_finding(wrong).has_value());
}

TEST_CASE("every rule can be tried where there are no system calls") {
  SKIP_UNLESS(test::is_root(), "needs root");
  const auto found = read_output_confined({"", kRefused}, 1);
  REQUIRE_MESSAGE(found.has_value(), found.error().text);
  REQUIRE(found->has_value());
  CHECK((*found)->kind == FailureClass::compile_error);
  std::string everything;
  for (const auto& rules : failure_rules()) {
    for (const FailureRule& rule : rules)
      everything += std::string(rule.needle) + " " + std::string(rule.also) + "\n";
  }
  CHECK(read_output_confined({everything, everything}, 1).has_value());
}

}  // namespace sbx
