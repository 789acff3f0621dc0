// What runs wrote (wire/spill.h): a file for each, written by its keeper, forgotten by us.
#pragma once

#include <dirent.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx::api {

class KeptOutput {
 public:
  explicit KeptOutput(std::string directory) : directory_(std::move(directory)) {}

  [[nodiscard]] Result<UniqueFd> open(const std::string& id) const;
  // Nothing: there is no such file.
  [[nodiscard]] std::optional<std::uint64_t> size(const std::string& id) const;
  void forget(const std::string& id) const;

  // Looks at some of the files, and removes those that nobody wants. False: it has looked at all.
  bool sweep_some(const std::function<bool(const std::string& id)>& wanted);

 private:
  struct Close {
    void operator()(DIR* stream) const { (void)closedir(stream); }
  };
  [[nodiscard]] std::string path(const std::string& id) const { return directory_ + "/" + id; }

  std::string directory_;
  std::unique_ptr<DIR, Close> swept_;  // as far as it was read
};

}  // namespace sbx::api
