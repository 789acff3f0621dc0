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

ProjectQuestion some_file_question() {
  ProjectQuestion question;
  question.action = ProjectAction::extract;
  question.project = "p";
  question.name = "n";
  question.file = ProjectFileQuestion{};
  question.file->request.path = "outputs/x";
  question.file->taken = Taken::replace;
  question.file->format = ArchiveFormat::zip;
  question.file->on_refused = OnRefused::skip;
  question.file->adopt = true;
  return question;
}

bool is_refused(const ProjectQuestion& question) {
  return !decode_project_question(encode_project_question(question));
}

TEST_CASE("a question about projects arrives as it was asked") {
  const ProjectQuestion question = some_question();
  CHECK(*decode_project_question(encode_project_question(question)) == question);
  CHECK(*decode_project_question(encode_project_question({})) == ProjectQuestion());
  const ProjectQuestion about_files = some_file_question();
  CHECK(*decode_project_question(encode_project_question(about_files)) == about_files);
}

TEST_CASE("content comes with what is new and with other content, and goes with what is fetched") {
  ProjectQuestion question = some_file_question();
  CHECK((has_content_in(question) && !has_content_out(question)));
  question.action = ProjectAction::file;
  for (const FileOperation operation :
       {FileOperation::read, FileOperation::write, FileOperation::list, FileOperation::remove}) {
    question.file->request.operation = operation;
    CHECK(has_content_in(question) == (operation == FileOperation::write));
    CHECK(has_content_out(question) == (operation == FileOperation::read));
  }
  question.action = ProjectAction::fetch_archive;
  CHECK((has_content_out(question) && !has_content_in(question)));
  CHECK_FALSE((has_content_in(some_question()) || has_content_out(some_question())));
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
  const std::string file_bytes = encode_project_question(some_file_question());
  for (std::size_t size = 0; size < file_bytes.size(); ++size)
    CHECK_FALSE(decode_project_question(file_bytes.substr(0, size)));
  std::string other = bytes;
  other[4] = static_cast<char>(static_cast<int>(ProjectAction::check_all_files) + 1);
  CHECK_FALSE(decode_project_question(other));
}

}  // namespace
}  // namespace sbx
