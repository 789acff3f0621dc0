// Files of a project for tests, in a state directory that goes with it, without runs.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/hash.h"
#include "os/file.h"
#include "project_files/project_files.h"
#include "unit/tree/some_tree.h"

namespace sbx::project_files {

inline UniqueFd content_of(const std::string& bytes) {
  UniqueFd fd(memfd_create("content", MFD_CLOEXEC));
  REQUIRE(os::write_all(fd.get(), bytes, "content"));
  REQUIRE(lseek(fd.get(), 0, SEEK_SET) == 0);
  return fd;
}

inline std::string bytes_in(const UniqueFd& fd) {
  REQUIRE(lseek(fd.get(), 0, SEEK_SET) == 0);
  return *os::read_all(fd.get(), "content", 1U << 30U);
}

template <class T>
std::string error_text(const Result<T>& result) {
  return result ? "" : result.error().text;
}
template <class T>
int error_number(const Result<T>& result) {
  return result ? 0 : result.error().error_number;
}

class SomeFiles {
 public:
  explicit SomeFiles(WorkspaceLayout layout = WorkspaceLayout::split) {
    place_ = {tree_.path("state"), "p", geteuid() == 0 ? 12345U : geteuid()};
    REQUIRE(chmod(tree_.path("").c_str(), 0755) == 0);
    ProjectWish wish;
    wish.layout = layout;
    const auto made = ProjectFiles::open_or_make(place_, wish);
    REQUIRE_MESSAGE(made, error_text(made));
  }

  [[nodiscard]] ProjectFiles open(Access access = Access::write) const {
    auto opened = ProjectFiles::open(place_, access);
    REQUIRE_MESSAGE(opened, error_text(opened));
    return std::move(*opened);
  }
  [[nodiscard]] Result<PutAnswer> put(const std::string& name, const std::string& bytes,
                                      Taken taken = Taken::rename, const std::string& folder = "",
                                      const UploadRules& rules = {}) const {
    PutRequest request;
    request.folder = folder;
    request.name = name;
    request.taken = taken;
    request.rules = rules;
    request.by = "test";
    return open().put(request, {content_of(bytes).get()});
  }
  [[nodiscard]] Result<PutAnswer> edit(const std::string& path, const std::string& bytes,
                                       const std::string& expected = "") const {
    EditRequest request;
    request.path = path;
    request.expected = expected;
    request.by = "editor";
    return open().edit(request, {content_of(bytes).get()});
  }
  [[nodiscard]] Result<std::string> get(const FileRequest& request) const {
    const UniqueFd out = content_of("");
    const Result<files::Part> part = open(Access::read).get(request, {out.get()});
    if (!part) return fail(part.error());
    return bytes_in(out);
  }
  [[nodiscard]] Result<std::string> get(const std::string& path) const {
    FileRequest request;
    request.path = path;
    return get(request);
  }
  // Below the workspace, as SomeTree takes it.
  [[nodiscard]] static std::string in(const std::string& path) {
    return "state/projects/p/workspace/g/1/" + path;
  }
  [[nodiscard]] const tree::SomeTree& tree() const { return tree_; }
  [[nodiscard]] const ProjectPlace& place() const { return place_; }
  // What a program of a sandbox made.
  void make(const std::string& path, const std::string& text) const {
    tree_.file(in(path), text);
    own(path);
  }
  void own(const std::string& path) const {
    REQUIRE(lchown(tree_.path(in(path)).c_str(), place_.service_id, place_.service_id) == 0);
  }
  [[nodiscard]] std::vector<std::string> names(const std::string& folder = "project_files") const {
    return *os::list_directory(AT_FDCWD, tree_.path(in(folder)));
  }

 private:
  tree::SomeTree tree_;
  ProjectPlace place_;
};

}  // namespace sbx::project_files
