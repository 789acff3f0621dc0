#include "projects/check_asker.h"

#include <cerrno>

#include "base/times.h"

namespace sbx {
namespace {

bool only_looks(ProjectAction action) {
  switch (action) {
  case ProjectAction::list:
  case ProjectAction::show:
  case ProjectAction::transactions:
  case ProjectAction::diff:
  case ProjectAction::patch:
  case ProjectAction::snapshots: return true;
  default: return false;
  }
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
  if (token.scope == Scope::read && !only_looks(question.action))
    return refuse(token, "has the scope 'read': it can change nothing");
  if (question.action == ProjectAction::create && !token.is_for_policy(question.policy))
    return refuse(token, "is not for the policy '" + question.policy + "'");
  const bool renames = question.action == ProjectAction::rename;
  for (const std::string& project : {question.project, renames ? question.name : std::string()}) {
    if (!project.empty() && !is_for_peer(project, peer))
      return refuse(token, "is not for the project '" + project + "'");
  }
  return {};
}

}  // namespace sbx
