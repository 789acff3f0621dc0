#include "api/client.h"

#include <fcntl.h>
#include <sodium.h>

#include <cerrno>

#include "base/hash.h"
#include "os/file.h"

namespace sbx::api {

Result<std::shared_ptr<const TokenList>> TokenList::read(UniqueFd file) {
  const std::string bytes = TRY(os::read_sealed_memfd(file.get(), "tokens", kMostTokenBytes));
  auto list = std::make_shared<TokenList>();
  list->tokens_ = TRY(decode_tokens(bytes));
  list->file_ = std::move(file);
  return std::shared_ptr<const TokenList>(std::move(list));
}

std::optional<std::size_t> TokenList::find(std::string_view secret) const {
  const std::string digest = sha256_hex(secret);
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    const std::string& other = tokens_[i].digest;
    if (other.size() == digest.size() && sodium_memcmp(other.data(), digest.data(), digest.size()) == 0)
      found = i;
  }
  return found;
}

Client Client::of_user(uid_t uid) {
  Client client;
  client.uid_ = uid;
  client.owner_ = "uid:" + std::to_string(uid);
  return client;
}

Client Client::of_token(std::shared_ptr<const TokenList> list, std::size_t index) {
  Client client;
  client.owner_ = "token:" + list->at(index).name;
  client.list_ = std::move(list);
  client.index_ = index;
  return client;
}

std::string Client::name() const {
  return token() != nullptr ? "the token '" + token()->name + "'" : "user " + owner_.substr(4);
}

bool Client::may(Scope scope) const {
  if (const Token* own = token()) return own->scope >= scope;
  return uid_ && (scope != Scope::admin || is_root());
}

bool Client::sees(std::string_view owner, std::string_view project, bool has_binds) const {
  const Token* own = token();
  if (own == nullptr) return is_root() || (uid_ && owner == owner_);
  if (has_binds) return false;
  if (own->scope == Scope::admin) return true;
  return (owner == owner_ || !project.empty()) && own->is_for_project(project);
}

void Client::narrow(RunFilter& filter) const {
  const Token* own = token();
  if (is_root() || may(Scope::admin)) return;
  if (own == nullptr) {
    filter.owner = owner_;
  } else if (own->all_projects) {
    filter.owner_or_project = owner_;
  } else {
    filter.among = own->projects;
  }
}

std::string Client::why_not(const RunRequest& request) const {
  const Token* own = token();
  if (own == nullptr) return {};
  if (!own->is_for_policy(request.policy)) return name() + " is not for the policy '" + request.policy + "'";
  if (!request.binds.empty())
    return name() + " is no user of this host, and is shown none of its files: no 'binds'";
  if (own->is_for_project(request.project)) return {};
  if (!request.project.empty()) return why_not_project(request.project);
  return name() + " is for its projects alone: give a 'project_id'";
}

std::string Client::why_not_project(const std::string& project) const {
  if (token() == nullptr || token()->is_for_project(project)) return {};
  return name() + " is not for the project '" + project + "'";
}

Result<Asker> Client::asker(int connection) const {
  if (list_) return Asker(list_, index_);
  UniqueFd own(fcntl(connection, F_DUPFD_CLOEXEC, 3));
  if (!own.valid()) return fail(system_error("dup", "the client's connection", errno));
  return Asker(std::move(own));
}

}  // namespace sbx::api
