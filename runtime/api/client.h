// Who asks, and what that one may: a user of this host, or who holds a token.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/keepers.h"
#include "api/run_record.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "request/run_request.h"
#include "wire/tokens.h"

namespace sbx::api {

// Those of sbxd, and its file of them, which keepers believe.
class TokenList {
 public:
  static Result<std::shared_ptr<const TokenList>> read(UniqueFd file);
  // Takes as long whatever is in it.
  [[nodiscard]] std::optional<std::size_t> find(std::string_view secret) const;
  [[nodiscard]] const Token& at(std::size_t index) const { return tokens_[index]; }
  [[nodiscard]] int file() const { return file_.get(); }

 private:
  UniqueFd file_;
  std::vector<Token> tokens_;
};

// What tells a keeper who asks, also when the connection is gone.
class Asker {
 public:
  explicit Asker(UniqueFd connection) : connection_(std::move(connection)) {}
  Asker(std::shared_ptr<const TokenList> list, std::size_t index) : list_(std::move(list)), index_(index) {}
  [[nodiscard]] Peer peer() const {
    return list_ ? Peer{list_->file(), static_cast<std::int64_t>(index_)} : Peer{connection_.get()};
  }

 private:
  UniqueFd connection_;
  std::shared_ptr<const TokenList> list_;
  std::size_t index_ = 0;
};

class Client {
 public:
  Client() = default;  // nobody, who may nothing
  static Client of_user(uid_t uid);
  static Client of_token(std::shared_ptr<const TokenList> list, std::size_t index);

  // "uid:1000", "token:ci": whose what it makes is.
  [[nodiscard]] const std::string& owner() const { return owner_; }
  // What it is called in messages.
  [[nodiscard]] std::string name() const;
  [[nodiscard]] bool is_root() const { return uid_ == 0U; }
  [[nodiscard]] bool may(Scope scope) const;
  // Whether what `owner` made in `project` (empty: none) is for it, too. What shows the host's files is for
  // no token.
  [[nodiscard]] bool sees(std::string_view owner, std::string_view project, bool has_binds = false) const;
  // The list of what it sees.
  void narrow(RunFilter& filter) const;
  // Why it may not make that; empty: it may. A keeper asks the same.
  [[nodiscard]] std::string why_not(const RunRequest& request) const;
  // The same of what is done with a project beside runs.
  [[nodiscard]] std::string why_not_project(const std::string& project) const;
  // `connection`: its own.
  [[nodiscard]] Result<Asker> asker(int connection) const;

 private:
  [[nodiscard]] const Token* token() const { return list_ ? &list_->at(index_) : nullptr; }

  std::string owner_;
  std::optional<uid_t> uid_;
  std::shared_ptr<const TokenList> list_;
  std::size_t index_ = 0;
};

}  // namespace sbx::api
