#include "projects/check_asker.h"

#include <doctest/doctest.h>

#include <cerrno>

namespace sbx {
namespace {

constexpr auto kLast = static_cast<int>(ProjectAction::check_files);

PeerIdentity holder(Scope scope) {
  PeerIdentity peer = nobody();
  peer.token = Token{};
  peer.token->name = "t";
  peer.token->scope = scope;
  peer.token->projects = {"a"};
  peer.token->policies = {"default"};
  return peer;
}

ProjectQuestion question_about(const char* project, ProjectAction action = ProjectAction::show) {
  ProjectQuestion question;
  question.action = action;
  question.project = project;
  return question;
}

int refused_with(const ProjectQuestion& question, const PeerIdentity& peer) {
  const auto done = check_asker_may(question, peer);
  return done ? 0 : done.error().error_number;
}

TEST_CASE("a user of this host may ask anything about each project") {
  const PeerIdentity peer{.uid = 1000, .gid = 1000, .groups = {}, .token = {}};
  for (int action = 0; action <= kLast; ++action)
    CHECK(refused_with(question_about("p", static_cast<ProjectAction>(action)), peer) == 0);
  CHECK(is_for_peer("p", peer));
}

TEST_CASE("a token may ask about its own projects, and to change them if its scope is not to read") {
  int looks = 0;
  for (int action = 0; action <= kLast; ++action) {
    CAPTURE(action);
    ProjectQuestion question = question_about("a", static_cast<ProjectAction>(action));
    question.name = "a";
    CHECK(refused_with(question, holder(Scope::run)) == 0);
    CHECK(refused_with(question, holder(Scope::admin)) == 0);
    looks += refused_with(question, holder(Scope::read)) == 0 ? 1 : 0;
    question.project = "b";
    CHECK(refused_with(question, holder(Scope::admin)) == EACCES);
  }
  CHECK(looks == 8);
  CHECK(is_for_peer("a", holder(Scope::read)));
  CHECK_FALSE(is_for_peer("b", holder(Scope::admin)));
}

TEST_CASE("a token brings files by its own policies alone, and one that may only look changes none") {
  int looks = 0;
  for (int operation = 0; operation <= static_cast<int>(FileOperation::move); ++operation) {
    ProjectQuestion question = question_about("a", ProjectAction::file);
    question.file = ProjectFileQuestion{};
    question.file->request.operation = static_cast<FileOperation>(operation);
    looks += refused_with(question, holder(Scope::read)) == 0 ? 1 : 0;
    CHECK(refused_with(question, holder(Scope::run)) == 0);
  }
  CHECK(looks == 3);
  for (const ProjectAction action : {ProjectAction::upload, ProjectAction::extract, ProjectAction::file}) {
    ProjectQuestion question = question_about("a", action);
    question.file = ProjectFileQuestion{};
    question.file->request.operation = FileOperation::write;
    question.policy = "permissive";
    CHECK(refused_with(question, holder(Scope::run)) == EACCES);
  }
}

TEST_CASE("a token names no project with a name of another, makes none under another policy, and expires") {
  ProjectQuestion rename = question_about("a", ProjectAction::rename);
  rename.name = "b";
  CHECK(refused_with(rename, holder(Scope::run)) == EACCES);
  ProjectQuestion create = question_about("a", ProjectAction::create);
  create.policy = "permissive";
  CHECK(refused_with(create, holder(Scope::run)) == EACCES);
  PeerIdentity old = holder(Scope::run);
  old.token->expires_ms = 1;
  CHECK(refused_with(question_about("a"), old) == EACCES);
  CHECK(refused_with({}, old) == EACCES);
}

}  // namespace
}  // namespace sbx
