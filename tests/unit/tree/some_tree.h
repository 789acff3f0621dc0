// Trees of files for tests, in a directory that goes with them.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "os/file.h"
#include "tree/changes.h"

namespace sbx::tree {

class SomeTree {
 public:
  SomeTree() {
    std::string path = "/var/tmp/sbx-tree-test.XXXXXX";
    REQUIRE(mkdtemp(path.data()) != nullptr);
    top_ = path;
    fd_ = *os::open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
  }
  SomeTree(const SomeTree&) = delete;
  SomeTree& operator=(const SomeTree&) = delete;
  ~SomeTree() { CHECK(os::remove_tree(AT_FDCWD, top_)); }

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] std::string path(const std::string& name) const { return top_ + "/" + name; }

  // Each with what is missing above.
  void file(const std::string& name, const std::string& text, mode_t mode = 0644) const {
    above(name);
    std::ofstream(path(name)) << text;
    REQUIRE(chmod(path(name).c_str(), mode) == 0);
  }
  void directory(const std::string& name, mode_t mode = 0755) const {
    std::filesystem::create_directories(path(name));
    REQUIRE(chmod(path(name).c_str(), mode) == 0);
  }
  void link(const std::string& name, const std::string& target) const {
    above(name);
    REQUIRE(symlink(target.c_str(), path(name).c_str()) == 0);
  }
  void whiteout(const std::string& name) const {
    above(name);
    REQUIRE(mknod(path(name).c_str(), S_IFCHR, makedev(0, 0)) == 0);
  }
  void opaque(const std::string& name) const {
    directory(name);
    REQUIRE(setxattr(path(name).c_str(), "user.overlay.opaque", "y", 1, 0) == 0);
  }
  void remove(const std::string& name) const { std::filesystem::remove_all(path(name)); }
  [[nodiscard]] std::string text(const std::string& name) const {
    std::ifstream in(path(name));
    return {std::istreambuf_iterator<char>(in), {}};
  }
  [[nodiscard]] struct stat stat(const std::string& name) const {
    struct stat status {};
    CHECK(lstat(path(name).c_str(), &status) == 0);
    return status;
  }

 private:
  void above(const std::string& name) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
  }

  std::string top_;
  UniqueFd fd_;
};

// "+path", "-path", "~path" (content), "%path" (permissions), a line each.
inline std::string told(int before, int after, After kind) {
  std::string text;
  const auto compared = compare(before, after, kind, [&](const Change& change) -> Result<void> {
    const char mark = !change.before ? '+' : !change.after ? '-' : change.content ? '~' : '%';
    text += mark + change.path + "\n";
    return {};
  });
  return compared ? text : "error: " + compared.error().text;
}

}  // namespace sbx::tree
