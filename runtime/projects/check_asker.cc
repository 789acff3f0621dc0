#include "projects/check_asker.h"

#include <cerrno>

#include "base/times.h"

namespace sbx {
namespace {

bool only_looks(const ProjectQuestion& question) {
  if (question.action == ProjectAction::file && question.file) {
    const FileOperation operation = question.file->request.operation;
    return operation == FileOperation::read || operation == FileOperation::list ||
           operation == FileOperation::stat;
  }
  switch (question.action) {
  case ProjectAction::list:
  case ProjectAction::show:
  case ProjectAction::transactions:
  case ProjectAction::diff:
  case ProjectAction::patch:
  case ProjectAction::snapshots:
  case ProjectAction::fetch_archive:
  case ProjectAction::walk: return true;
  default: return false;
  }
}

// Its limits, its rules for what is brought.
bool goes_by_policy(const ProjectQuestion& question) {
  if (question.action == ProjectAction::file && question.file)
    return question.file->request.operation == FileOperation::write ||
           question.file->request.operation == FileOperation::directory;
  return question.action == ProjectAction::create || question.action == ProjectAction::upload ||
         question.action == ProjectAction::extract;
}

Unexpected refuse(const Token& token, const std::string& why) {
  return fail(Error{"the token '" + token.name + "' " + why, EACCES});
}

}  // namespace

bool is_for_peer(const std::string& project, const PeerIdentity& peer) {
  return !peer.token || peer.token->is_for_project(project);
}

Result<void> check_asker_may(const ProjectQuestion& question, const PeerIdentity& peer) {
  if (!peer.token) return {};
  const Token& token = *peer.token;
  if (!token.is_good_at(utc_ms())) return refuse(token, "has expired");
  if (token.scope == Scope::read && !only_looks(question))
    return refuse(token, "has the scope 'read': it can change nothing");
  if (goes_by_policy(question) && !token.is_for_policy(question.policy))
    return refuse(token, "is not for the policy '" + question.policy + "'");
  const bool renames = question.action == ProjectAction::rename;
  for (const std::string& project : {question.project, renames ? question.name : std::string()}) {
    if (!project.empty() && !is_for_peer(project, peer))
      return refuse(token, "is not for the project '" + project + "'");
  }
  return {};
}

}  // namespace sbx
