// A file that its user edits, on a copy that nobody else can open.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx {

struct EditedCopy {
  bool changed = false;
  std::string before;  // SHA-256 of what it was
  int file = -1;       // what it is now, to be read; as long as the copy is there
};

class PrivateCopy {
 public:
  PrivateCopy() = default;
  PrivateCopy(const PrivateCopy&) = delete;
  PrivateCopy& operator=(const PrivateCopy&) = delete;
  ~PrivateCopy();

  // An empty file that is called `name` below a directory of its own, to be written to.
  Result<int> make(const std::string& name);
  // Runs VISUAL, EDITOR or vi on it (environ(7)). Error: it did not end with 0.
  Result<EditedCopy> edit();

 private:
  std::string directory_;
  std::string path_;
  UniqueFd file_;
};

}  // namespace sbx
