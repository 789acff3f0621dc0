#include "wire/project_protocol.h"

#include <doctest/doctest.h>

namespace sbx {
namespace {

ProjectQuestion some_question() {
  ProjectQuestion question;
  question.action = ProjectAction::rename;
  question.project = "p";
  question.name = "q";
  question.policy = "strict";
  question.bytes = 1;
  return question;
}

bool is_refused(const ProjectQuestion& question) {
  return !decode_project_question(encode_project_question(question));
}

TEST_CASE("a question about projects arrives as it was asked") {
  const ProjectQuestion question = some_question();
  CHECK(*decode_project_question(encode_project_question(question)) == question);
  CHECK(*decode_project_question(encode_project_question({})) == ProjectQuestion());
}

TEST_CASE("a question without the names that it needs, with others or with more bytes is refused") {
  for (const char* name : {"", "..", "a/b", ".deleted-x", "/etc"}) {
    CAPTURE(name);
    ProjectQuestion question = some_question();
    question.project = name;
    CHECK(is_refused(question));
    question = some_question();
    question.name = name;
    CHECK(is_refused(question));
    question = some_question();
    question.policy = name;
    CHECK(is_refused(question));
  }
  const std::string bytes = encode_project_question(some_question());
  CHECK_FALSE(decode_project_question(bytes + "x"));
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(decode_project_question(bytes.substr(0, size)));
  std::string other = bytes;
  other[4] = static_cast<char>(static_cast<int>(ProjectAction::remove_snapshot) + 1);
  CHECK_FALSE(decode_project_question(other));
}

}  // namespace
}  // namespace sbx
