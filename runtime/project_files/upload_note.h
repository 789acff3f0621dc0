// What an upload is called in its project until it has its own name, noted outside of the project: so that of
// one that was killed nothing is left, and nothing else that has such a name is taken for it.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx::project_files {

// STATE/projects/ID/uploads/NAME, with the folder in it, locked by flock(2) as long as who brings it lives.
class UploadNote {
 public:
  // `directory`: STATE/projects/ID. `folder`: where it comes to lie, below the workspace.
  static Result<UploadNote> make(const std::string& directory, const std::string& folder);
  UploadNote(UploadNote&&) = default;
  UploadNote& operator=(UploadNote&&) = delete;
  ~UploadNote();

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& folder() const { return folder_; }

  // Those whose uploads were killed. Each stays, for another try, unless it is told that nothing is left of
  // it.
  static Result<std::vector<UploadNote>> abandoned(const std::string& directory);
  void nothing_is_left() { stays_ = false; }

 private:
  UploadNote(std::string path, std::string name, std::string folder, UniqueFd lock, bool stays)
      : path_(std::move(path)),
        name_(std::move(name)),
        folder_(std::move(folder)),
        lock_(std::move(lock)),
        stays_(stays) {}

  std::string path_;
  std::string name_;
  std::string folder_;
  UniqueFd lock_;
  bool stays_;
};

}  // namespace sbx::project_files
