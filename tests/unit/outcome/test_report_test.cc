#include "outcome/test_report.h"

#include <doctest/doctest.h>

#include <string>

namespace sbx {
namespace {

TEST_CASE("a test of a JUnit report counts once, by what it holds") {
  const Result<TestCounts> counts = parse_junit(R"(<?xml version="1.0"?>
<testsuites tests="99">
  <testsuite name="a" failures="7">
    <testcase name="1"/>
    <testcase name="2"><system-out>ok</system-out></testcase>
    <testcase name="3"><failure message="no">x &lt; y</failure></testcase>
    <testcase name="4"><error/><failure/></testcase>
    <testsuite name="b"><testcase name="5"><skipped/></testcase></testsuite>
  </testsuite>
</testsuites>)");
  REQUIRE_MESSAGE(counts, counts.error().text);
  CHECK(*counts == TestCounts{.passed = 2, .failed = 1, .errors = 1, .skipped = 1});
  CHECK(*parse_junit("<testsuite/>") == TestCounts{});
}

TEST_CASE("what is no JUnit report is refused") {
  const auto refused = [](const std::string& text) {
    const Result<TestCounts> counts = parse_junit(text);
    return counts ? std::string() : counts.error().text;
  };
  CHECK(refused("").starts_with("no XML: "));
  CHECK(refused("<testsuite>").starts_with("no XML: "));
  CHECK(refused("1 passed").starts_with("no "));
  CHECK(refused("<html/>") ==
        "no report of JUnit: neither 'testsuites' nor 'testsuite' is its first element");
}

TEST_CASE("a report may be nested as deep as it likes") {
  std::string text;
  constexpr int kDeep = 200'000;
  for (int i = 0; i < kDeep; ++i) text += "<testsuite>";
  text += "<testcase/>";
  for (int i = 0; i < kDeep; ++i) text += "</testsuite>";
  const Result<TestCounts> counts = parse_junit(text);
  REQUIRE(counts);
  CHECK(counts->passed == 1);
}

TEST_CASE("entities outside of the report are not looked up") {
  const Result<TestCounts> counts = parse_junit(
      "<!DOCTYPE x [<!ENTITY e SYSTEM "
      "\"file:///etc/passwd\">]><testsuite><testcase>&e;</testcase></testsuite>");
  REQUIRE_MESSAGE(counts, counts.error().text);
  CHECK(counts->passed == 1);
}

}  // namespace
}  // namespace sbx
