#include "outcome/test_report.h"

#include <pugixml.hpp>
#include <string>

namespace sbx {
namespace {

void count_case(const pugi::xml_node& test, TestCounts& counts) {
  if (test.child("error")) {
    ++counts.errors;
  } else if (test.child("failure")) {
    ++counts.failed;
  } else if (test.child("skipped")) {
    ++counts.skipped;
  } else {
    ++counts.passed;
  }
}

// Suites may hold suites. Without recursion: how deep they go is not ours to say.
class Counter : public pugi::xml_tree_walker {
 public:
  bool for_each(pugi::xml_node& node) override {
    if (std::string_view(node.name()) == "testcase") count_case(node, counts);
    return true;
  }
  TestCounts counts;
};

}  // namespace

Result<TestCounts> parse_junit(std::string_view text) {
  pugi::xml_document document;
  const pugi::xml_parse_result parsed = document.load_buffer(text.data(), text.size());
  if (!parsed) {
    return fail("no XML: " + std::string(parsed.description()) + " at byte " + std::to_string(parsed.offset));
  }
  const std::string_view root = document.document_element().name();
  if (root != "testsuites" && root != "testsuite") {
    return fail("no report of JUnit: neither 'testsuites' nor 'testsuite' is its first element");
  }
  Counter counter;
  document.traverse(counter);
  return counter.counts;
}

}  // namespace sbx
